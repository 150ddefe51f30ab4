// The Tokens tab: a line on where the run is, a row for each API and model, and charts. The tab itself is Locust's
// (extended_tabs); this is an element beside React's, shown while that tab is chosen. Figures are asked for only then.
const TAB = "tokenswarm-tokens", EVERY_MS = 1000, NS = "http://www.w3.org/2000/svg";
const COLOURS = ["#00ca5a", "#ff9f00", "#0099ff"], DASHES = ["", "7 4", "2 3"];
const CHARTS = [
  ["Output tokens/s", ["output_tokens_per_s"]],
  ["Streams", ["running", "waiting", "users"]],
  ["Longest wait (s)", ["oldest_wait_s", "silent_s"]],
  ["Time to first token, TTFT (ms)", ["ttft_ms_p50", "ttft_ms_p95"]],
  ["Chunk gap, ITL (ms)", ["itl_ms_p50", "itl_ms_p95"]],
  ["Time per output token, TPOT (ms)", ["tpot_ms_p50", "tpot_ms_p95"]],
  ["Requests/s", ["asked_per_s", "ok_per_s", "failed_per_s"]],
  ["Prompt tokens/s", ["prompt_tokens_per_s"]],
];
const NAMES = {
  output_tokens_per_s: "output", running: "running", waiting: "waiting", users: "users",
  oldest_wait_s: "for a first byte", silent_s: "between two bytes", asked_per_s: "asked", ok_per_s: "answered",
  failed_per_s: "failed", prompt_tokens_per_s: "of prompts that were answered",
};
const HEADS = ["API and model", "out tok/s", "in tok/s", "running", "waiting", "no first / next byte for", "TTFT p50 / p95",
  "ITL p50 / p95", "TPOT p50 / p95", "decode tok/s", "queue", "tokens out / in", "requests"];
const ZH = {
  "Output tokens/s": "输出 Token/s", "Streams": "并发流", "Longest wait (s)": "最长等待 (s)",
  "Time to first token, TTFT (ms)": "首 Token 延迟 TTFT (ms)", "Chunk gap, ITL (ms)": "包间时延 ITL (ms)",
  "Time per output token, TPOT (ms)": "每 Token 延迟 TPOT (ms)", "Requests/s": "请求/s", "Prompt tokens/s": "输入 Token/s",
  "output": "输出", "running": "生成中", "waiting": "等待中", "users": "并发用户", "for a first byte": "等首字节",
  "between two bytes": "两次字节之间", "asked": "请求", "answered": "已回答", "failed": "失败",
  "of prompts that were answered": "已回答的提示", "API and model": "API 与模型", "out tok/s": "输出 tok/s",
  "in tok/s": "输入 tok/s", "no first / next byte for": "首字节 / 下一字节最久等待", "decode tok/s": "解码 tok/s", "queue": "排队占比",
  "tokens out / in": "Token 输出 / 输入", "requests": "请求数", "all": "全部", "last 10 s": "最近 10 s",
  "the whole run": "整次运行", "left": "剩余", "report": "报告", "No run yet.": "还没有运行。",
  "warm-up": "预热", "ramp-up": "增加用户中", "ending": "正在结束", "ended": "已结束",
  "writing the report": "正在写报告 …", "stage": "阶段", "Ended requests only: ITL, TPOT, prompts; the rest as it comes.":
  "ITL、TPOT 与提示只计已结束的请求；其余随到随显示。",
};
const box = document.createElement("div");
box.id = TAB;
box.style.cssText = "display:none;margin-top:16px;font:14px Roboto,Helvetica,Arial,sans-serif";
let chosen = null, lang = "en", shown = null;
const t = text => lang === "zh" && ZH[text] || text;
const dark = () => localStorage.theme ? localStorage.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
const look = () => dark() ? {ink: "#b3c3bc", line: "#4c4c52", ground: "#27272a"} : {ink: "#000", line: "#ddd", ground: "#fff"};
const number = (value, digits = 3) => value === null || value === undefined ? "–"
  : Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : String(+value.toPrecision(digits));
const span = s => s >= 3600 ? `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`
  : s >= 60 ? `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s` : `${Math.floor(s)} s`;
function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
function svg(name, attributes, text) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}
function nice(max) {
  const power = 10 ** Math.floor(Math.log10(max || 1));
  return [1, 2, 2.5, 5, 10].map(digit => digit * power).find(tick => tick >= max) || 1;
}
function chart(title, keys, data) {
  const W = 720, H = 240, L = 56, R = 16, T = 44, B = 24, {ink, line, ground} = look(), times = data.t;
  const made = svg("svg", {viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": t(title),
    style: `width:100%;background:${ground};font:12px Roboto,Helvetica,Arial,sans-serif`});
  made.append(svg("text", {x: 8, y: 16, fill: ink, "font-weight": "bold", "font-size": 14}, t(title)));
  const begin = 0, end = 4 * Math.ceil(Math.max(times.at(-1) || 0, 10) / 4);
  const max = nice(Math.max(0, ...keys.flatMap(key => data[key].filter(value => value !== null))));
  const x = at => L + (at - begin) / (end - begin) * (W - L - R), y = value => H - B - value / max * (H - T - B);
  for (let i = 0; i <= 4; i++) {
    made.append(svg("line", {x1: L, x2: W - R, y1: y(max * i / 4), y2: y(max * i / 4), stroke: line}));
    made.append(svg("text", {x: L - 6, y: y(max * i / 4) + 4, fill: ink, "text-anchor": "end"}, number(max * i / 4)));
    made.append(svg("text", {x: x(end * i / 4), y: H - 6, fill: ink, "text-anchor": i === 4 ? "end" : "middle"}, span(end * i / 4)));
  }
  const values = keys.map((key, n) => {
    let path = "", pen = "M";
    data[key].forEach((value, i) => {
      if (value === null) { pen = "M"; return; }
      if (pen === "M" && (data[key][i + 1] ?? null) === null)  // alone between two gaps: no line would show it
        made.append(svg("circle", {cx: x(times[i]), cy: y(value), r: 3 - n, fill: COLOURS[n]}));
      path += `${pen}${x(times[i]).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = "L";
    });
    made.append(svg("path", {d: path, fill: "none", stroke: COLOURS[n], "stroke-width": 2, "stroke-dasharray": DASHES[n]}));
    const left = W - R - 215 * (keys.length - n) + (keys.length > 2 ? 75 * (keys.length - n) : 0);
    made.append(svg("line", {x1: left - 24, x2: left - 4, y1: 32, y2: 32, stroke: COLOURS[n], "stroke-width": 3,
      "stroke-dasharray": DASHES[n]}));
    return made.appendChild(svg("text", {x: left, y: 36, fill: ink}));
  });
  const mark = made.appendChild(svg("line", {y1: T, y2: H - B, stroke: ink, "stroke-opacity": 0}));
  const say = at => values.forEach((text, n) => {
    text.textContent = `${t(NAMES[keys[n]] || keys[n].split("_").at(-1))}: ${number(at < 0 ? null : data[keys[n]][at])}`;
  });
  const last = times.length - 1 - (times.length > 1);  // the newest second is not whole yet
  say(last);
  made.addEventListener("mousemove", event => {
    const at = (event.offsetX / made.clientWidth * W - L) / (W - L - R) * end;
    const near = times.findIndex(time => time >= at);
    if (near < 0) return;
    mark.setAttribute("x1", x(times[near])); mark.setAttribute("x2", x(times[near]));
    mark.setAttribute("stroke-opacity", .5); say(near);
  });
  made.addEventListener("mouseleave", () => { mark.setAttribute("stroke-opacity", 0); say(last); });
  return made;
}
const both = (figures, name) => `${number(figures[`${name}_ms_p50`])} / ${number(figures[`${name}_ms_p95`])} ms`;
function table(rows) {
  const {ink, line, ground} = look();
  const cell = `padding:6px;text-align:right;white-space:nowrap;border-bottom:1px solid ${line}`;
  const made = el("table", {style: `border-collapse:collapse;width:100%;margin:8px 0;background:${ground};color:${ink};font-size:13px`});
  made.append(el("tr", {}, ...HEADS.map((head, n) => el("th", {style: cell + ";white-space:normal" + (n ? "" : ";text-align:left")}, t(head)))));
  for (const row of rows) {
    const now = row.recent, run = row.run, key = row.endpoint || row.model ? [row.endpoint, row.model] : null;
    const ended = Object.entries(row.outcomes).map(([name, n]) => `${n} ${name}`).join(", ");
    const long = now.silent_s >= 2 || now.oldest_wait_s >= Math.max(3, 2 * (run.ttft_ms_p95 ?? run.ttft_ms_p50 ?? 0) / 1000);
    const wait = long ? ";font-weight:bold;color:#ff6d6d" : "";
    const two = name => el("span", {title: t("last 10 s")}, both(now, name), el("br"),
      el("small", {title: t("the whole run"), style: "opacity:.75"}, both(run, name)));
    const cells = [key ? `${row.endpoint} ${row.model}` : t("all"), number(now.output_tokens_per_s),
      number(now.prompt_tokens_per_s), now.running, now.waiting, `${number(now.oldest_wait_s, 2)} / ${number(now.silent_s, 2)} s`, two("ttft"), two("itl"),
      two("tpot"), number(now.decode_tokens_per_s ?? run.decode_tokens_per_s),
      now.queue_percent === null ? "–" : `${number(now.queue_percent)} %`,
      `${number(row.output_tokens, 15)} / ${number(row.prompt_tokens, 15)}`, ended || "–"];
    const mine = String(chosen) === String(key) && rows.length > 1 ? ";outline:2px solid #00ca5a" : "";
    const drawn = el("tr", {style: (rows.length > 1 ? "cursor:pointer" : "") + mine}, ...cells.map((content, n) =>
      el("td", {style: cell + (n ? "" : ";text-align:left") + (n === 5 ? wait : "") + (n === 12 ? ";white-space:normal" : "")},
        content instanceof Node ? content : String(content))));
    if (rows.length > 1) drawn.onclick = () => { chosen = key; draw(); };
    made.append(drawn);
  }
  return el("div", {style: "overflow-x:auto"}, made);
}
function where(data) {
  const made = el("div", {style: `color:${look().ink};line-height:1.6`}), parts = [];
  if (!data.run) { made.append(t("No run yet.")); return made; }
  if (data.state && data.state !== "running") parts.push(t(data.state));
  parts.push(span(data.elapsed_s) + (data.left_s === null ? "" : ` (${t("left")}: ${span(data.left_s)})`));
  if (data.doing) parts.push(data.doing);
  made.append(el("b", {}, data.run), ` · ${parts.join(" · ")}`);
  if (data.verdict) made.append(" · ", el("a", {href: `./runs/${encodeURIComponent(data.run)}/report.html`, target: "_blank",
    style: "color:inherit"}, t("report")), ` · ${data.verdict}`);
  for (const line of data.done.slice(-5)) made.append(el("div", {}, line));
  for (const [level, what] of data.findings)
    made.append(el("div", {style: level === "remark" ? "" : "color:#ff6d6d"}, `${level}: ${what}`));
  return made;
}
function render(data) {
  lang = data.lang;
  const charts = el("div", {style: "display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,520px),1fr));gap:12px"});
  charts.append(...CHARTS.map(([title, keys]) => chart(title, keys, data.series)));
  const note = el("small", {style: `color:${look().ink};opacity:.75`},
    t("Ended requests only: ITL, TPOT, prompts; the rest as it comes."));
  box.replaceChildren(where(data), ...(data.rows.length && data.run ? [table(data.rows), charts, note] : []));
}
async function draw() {
  const ours = new URL(location).searchParams.get("tab") === TAB;
  box.style.display = ours ? "block" : "none";
  document.querySelector("[role=tablist]")?.closest(".MuiContainer-root")?.append(box);  // made anew when a run starts
  if (!ours || document.hidden) return;
  const query = chosen ? `?${new URLSearchParams({endpoint: chosen[0], model: chosen[1]})}` : "";
  const answer = await fetch(`./tokenswarm/live.json${query}`).catch(() => null);  // a server that has gone is no error here
  if (!answer?.ok || answer.redirected) return;
  const data = await answer.json(), key = `${data.run} ${chosen}`;
  if (shown !== key && chosen && !data.rows.some(row => row.endpoint === chosen[0] && row.model === chosen[1])) chosen = null;
  shown = key;
  render(data);
}
const push = history.pushState;
history.pushState = function () { push.apply(this, arguments); draw(); };  // Locust's tabs
addEventListener("popstate", draw);
document.addEventListener("visibilitychange", draw);
setInterval(draw, EVERY_MS);
draw();
