"""What the server is: slots, rates, context, by questions of its own."""
