// The tab "Runs": a row a run, the newest first, with its verdict and its files. Asked for only while it is looked at.
const TAB = "tokenswarm-runs", EVERY_MS = 2000, SHOWN = ["report.html", "requests.csv", "summary.json", "run.json"];
const ZH = {"Run": "运行", "Model": "模型", "Requests": "请求数", "Verdict": "判定", "Files": "文件", "running": "运行中",
  "writing the report": "正在写报告", "No run yet.": "还没有运行。", "VALID": "有效", "INVALID": "无效"};
const box = document.createElement("div");
box.id = TAB;
box.style.cssText = "display:none;margin-top:16px;font:14px Roboto,Helvetica,Arial,sans-serif;overflow-x:auto";
let lang = "en";
const t = text => lang === "zh" && ZH[text] || text;
const dark = () => localStorage.theme ? localStorage.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
function render({runs}) {
  const ink = dark() ? "#b3c3bc" : "#000", line = dark() ? "#4c4c52" : "#ddd", ground = dark() ? "#27272a" : "#fff";
  const cell = `padding:8px;text-align:left;vertical-align:top;border-bottom:1px solid ${line}`;
  const table = el("table", {style: `border-collapse:collapse;width:100%;background:${ground};color:${ink}`});
  table.append(el("tr", {}, ...["Run", "Model", "Requests", "Verdict", "Files"].map(head => el("th", {style: cell}, t(head)))));
  for (const run of runs) {
    const link = (name, text) => el("a", {href: `./runs/${encodeURIComponent(run.run)}/${name}`, target: "_blank",
      style: `color:${dark() ? "#00ca5a" : "#15803d"}`}, text);
    const open = run.state !== "complete", verdict = el("span", {});
    if (open) verdict.append(`${t(run.state)} …`);
    else {
      const colour = run.verdict === "VALID" ? (dark() ? "#00ca5a" : "#15803d") : "#ff6d6d";
      const rest = run.sentence.split(run.verdict);
      verdict.append(rest[0], el("b", {style: `color:${colour}`}, t(run.verdict)), rest.slice(1).join(run.verdict));
    }
    const files = SHOWN.filter(name => run.files.includes(name)).flatMap((name, n) => [n ? " · " : "", link(name, name)]);
    table.append(el("tr", {}, el("td", {style: `${cell};white-space:nowrap`},
        run.files.includes("report.html") ? link("report.html", run.run) : run.run),
      el("td", {style: cell}, run.model), el("td", {style: cell}, run.rows === null ? "" : run.rows.toLocaleString("en")),
      el("td", {style: cell}, verdict), el("td", {style: `${cell};white-space:nowrap`}, ...files)));
  }
  box.replaceChildren(runs.length ? table : el("span", {style: `color:${ink}`}, t("No run yet.")));
}
async function draw() {
  const ours = new URL(location).searchParams.get("tab") === TAB;
  box.style.display = ours ? "block" : "none";
  document.querySelector("[role=tablist]")?.closest(".MuiContainer-root")?.append(box);
  if (!ours || document.hidden) return;
  const answer = await fetch("./tokenswarm/runs.json").catch(() => null);
  if (!answer?.ok || answer.redirected) return;
  const said = await answer.json();
  lang = said.lang;
  render(said);
}
const push = history.pushState;
history.pushState = function () { push.apply(this, arguments); draw(); };
addEventListener("popstate", draw);
document.addEventListener("visibilitychange", draw);
setInterval(draw, EVERY_MS);
draw();
