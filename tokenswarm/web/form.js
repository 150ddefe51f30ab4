// Locust's form with our options in groups: a heading before the first field of each, the text below each field.
// Locust draws the fields; what is added here stands beside what React draws, and is put back when that was drawn anew.
// While a start is being checked (the server asked, a model loaded), a line says what goes on.
const SECTIONS = window.templateArgs.tokenswarm_form || [];
const camel = name => name.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase());
function place() {
  for (const name of window.templateArgs.tokenswarm_internal || []) {  // set by the master; sent along with the rest
    const root = document.querySelector(`form [name="${camel(name)}"]`)?.closest(".MuiFormControl-root");
    if (root) root.style.display = "none";
  }
  for (const {title, fields} of SECTIONS) {
    let first = true;
    for (const {name, text} of fields) {
      const field = document.querySelector(`form [name="${camel(name)}"]`);
      const root = field?.closest(".MuiFormControlLabel-root, .MuiFormControl-root");
      if (!root) continue;
      if (first && !root.previousElementSibling?.classList.contains("tokenswarm-section")) {
        const heading = document.createElement("h3");
        heading.className = "tokenswarm-section";
        heading.style.cssText = "margin:8px 0 -16px;font:500 16px Roboto,Helvetica,Arial,sans-serif";
        heading.textContent = title;
        root.before(heading);
      }
      first = false;
      if (text && !root.querySelector(".tokenswarm-text")) {
        const below = document.createElement("small");
        below.className = "tokenswarm-text";
        below.style.cssText = "display:block;opacity:.7;margin:4px 2px 0;font:12px/1.4 Roboto,Helvetica,Arial,sans-serif";
        below.textContent = text;
        (root.querySelector(".MuiFormControlLabel-label") || root).append(below);
      }
    }
  }
}
function wait() {
  const line = document.createElement("p");
  line.id = "tokenswarm-doing";
  line.style.cssText = "position:fixed;left:16px;bottom:8px;margin:0;font:14px Roboto,Helvetica,Arial,sans-serif";
  let quiet = 0;
  const timer = setInterval(async () => {
    const {doing} = await fetch("./tokenswarm/doing.json").then(answer => answer.json()).catch(() => ({}));
    quiet = doing ? 0 : quiet + 1;
    line.textContent = doing ? `${doing} …` : "";
    if (doing && !line.isConnected) document.body.append(line);
    if (quiet > 2) clearInterval(timer), line.remove();
  }, 1000);
}
addEventListener("submit", wait, true);
new MutationObserver(place).observe(document.getElementById("root"), {childList: true, subtree: true});
place();
