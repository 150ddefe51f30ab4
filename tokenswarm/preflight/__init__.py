"""Before any load: is the server there, what is it, how does it count?"""
