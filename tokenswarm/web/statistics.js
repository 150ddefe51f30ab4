// Below Locust's table of statistics: what its rows of our metrics are, which all stand under "(ms)".
const TEXT = {
  en: "Rows of a metric are in its own unit, which its name ends with (…_ms, …_per_s, else tokens), also under “(ms)”; they are no requests, and have no rate.",
  zh: "指标各行用其自身的单位（名称末尾：…_ms、…_per_s，其余为 Token 数），即使列名写着 “(ms)”；它们不是请求，因此没有速率。",
};
const line = document.createElement("p");
line.id = "tokenswarm-units";
line.style.cssText = "margin:8px 0 0;opacity:.7;font:12px Roboto,Helvetica,Arial,sans-serif";
line.textContent = TEXT[window.templateArgs.tokenswarm_lang] || TEXT.en;
function place() {
  const head = [...document.querySelectorAll("th")].find(cell => cell.innerText.startsWith("Median"));
  const table = head?.closest(".MuiTableContainer-root") || head?.closest("table");
  if (table && table.nextElementSibling !== line) table.after(line);
}
new MutationObserver(place).observe(document.getElementById("root"), {childList: true, subtree: true});
place();
