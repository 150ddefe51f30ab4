// Locust's form with our options in groups: a heading before the first field of each, the text below each field.
// Locust draws the fields; what is added here stands beside what React draws, and is put back when that was drawn anew.
// The field of the model offers those of the server in the form: asked when the field is entered while the host is the
// one that the page came with, and for one that was typed only at a click. Any other text may stand there all the same.
// While a start is being checked (the server asked, a model loaded), a line says what goes on.
const SECTIONS = window.templateArgs.tokenswarm_form || [];
const camel = name => name.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase());
const ZH = {"list the server's models": "列出服务器的模型", "asking …": "正在询问 …", "Another number of users begins a stage of the run that goes on, with figures of its own. All that stands below counts from the next run.": "改变用户数会在进行中的运行里开始一个新阶段，有自己的数字；下面的其他内容从下一次运行起生效。", "models; any other name can be typed": "个模型；也可输入其他名称"};
const say = text => window.templateArgs.tokenswarm_lang === "zh" ? ZH[text] : text;
const offered = document.createElement("datalist"), said = document.createElement("small");
offered.id = "tokenswarm-models";
let listed = null;  // the host whose models are offered
const typed = name => document.querySelector(`form [name="${name}"]`)?.value || "";
async function list(clicked) {
  const host = typed("host");
  if (!clicked && (host !== window.templateArgs.host || host === listed)) return;
  listed = host;
  said.textContent = ` ${say("asking …")}`;
  offered.replaceChildren();
  const {models = [], message} = await fetch("./tokenswarm/models", {method: "POST", body: new URLSearchParams({host, api_key: typed("apiKey")})})
    .then(answer => answer.json()).catch(error => ({message: String(error)}));
  if (listed !== host) return;
  offered.replaceChildren(...models.map(name => Object.assign(document.createElement("option"), {value: name})));
  said.textContent = ` ${message || `${models.length} ${say("models; any other name can be typed")}`}`;
}
function offer(model) {
  if (!model || model.getAttribute("list")) return;
  model.setAttribute("list", offered.id);
  model.autocomplete = "off";
  model.addEventListener("focus", () => list(false));
  document.querySelector('form [name="host"]')?.addEventListener("input", () => {
    listed = null;
    offered.replaceChildren();
    said.textContent = "";
  });
  const button = document.createElement("button"), row = document.createElement("div");
  Object.assign(button, {type: "button", textContent: say("list the server's models")});
  button.style.cssText = "padding:0;border:0;background:none;color:inherit;font:inherit;text-decoration:underline;cursor:pointer";
  button.addEventListener("click", () => list(true));
  row.style.cssText = "margin:4px 2px 0;font:12px/1.4 Roboto,Helvetica,Arial,sans-serif";
  said.style.cssText = "font:inherit;opacity:.7";
  row.append(button, said);
  model.closest(".MuiFormControl-root").append(row, offered);
}
// Locust's form for a run that goes on has no host, but all of our options: what of it counts, and when.
function remark() {
  const form = document.querySelector('form [name="userCount"]')?.form;
  if (!form || form.querySelector('[name="host"]') || form.querySelector(".tokenswarm-edit")) return;
  const line = document.createElement("p");
  line.className = "tokenswarm-edit";
  line.style.cssText = "margin:0;font:14px Roboto,Helvetica,Arial,sans-serif";
  line.textContent = say("Another number of users begins a stage of the run that goes on, with figures of its own. All that stands below counts from the next run.");
  form.querySelector('[name="spawnRate"]').closest(".MuiFormControl-root").after(line);
}
function place() {
  remark();
  offer(document.querySelector('form input[name="model"]'));
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
