// the review -------------------------------------------------------------------------------------------------------
const review = { coder: "", verdicts: data.segments.map(() => null) };
const place = `waver-review:${data.recording}:${data.stamp}`;
let kept = true;
try {
  const found = JSON.parse(localStorage.getItem(place) || "null");
  if (found && found.verdicts.length === data.segments.length) {
    review.coder = String(found.coder || "");
    review.verdicts = found.verdicts.map(one => one in signs ? one : null);
  }
} catch { kept = false; }
function keep() {
  try { localStorage.setItem(place, JSON.stringify(review)); } catch { kept = false; }
  at("kept").textContent = kept ? t.kept : t.not_kept;
  showReview();
}
function showReview() {
  for (const button of document.querySelectorAll("[data-verdict]")) {
    const verdict = review.verdicts[Number(button.closest("tr").dataset.segment)];
    button.setAttribute("aria-pressed", String(verdict === button.dataset.verdict));
  }
  const done = review.verdicts.filter(Boolean).length;
  at("state").textContent = t.reviewed.replace("{done}", done).replace("{all}", data.segments.length);
}
function judge(number, verdict) {
  if (number < 0 || number >= data.segments.length) return;
  review.verdicts[number] = review.verdicts[number] === verdict ? null : verdict;
  keep();
  draw(now());
}
const second = frame => (frame / data.fps).toFixed(3);
function reviewed() {
  const segments = data.segments.map((one, number) => ({
    start_frame: one.start_frame, end_frame: one.end_frame, start_s: Number(second(one.start_frame)),
    end_s: Number(second(one.end_frame)), mean: one.mean, verdict: review.verdicts[number],
  }));
  const about = { recording: data.recording, coder: review.coder, model: data.model, stamp: data.stamp, fps: data.fps };
  return { format: 1, ...about, segments };
}
// a spreadsheet takes what begins with = + - @ for a formula
function cell(value) {
  const text = String(value ?? "").replace(/^[=+\-@\t\r]/, "'$&");
  return /[",\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}
function table() {
  const rows = data.segments.map((one, number) => [
    data.recording, review.coder, one.start_frame, one.end_frame, second(one.start_frame), second(one.end_frame),
    one.mean, review.verdicts[number] || "unsure", Boolean(review.verdicts[number]),
  ]);
  const names = ["recording", "coder", "start_frame", "end_frame", "start_s", "end_s", "mean", "verdict", "judged"];
  return [names, ...rows].map(row => row.map(cell).join(",")).join("\r\n") + "\r\n";
}
function save(text, kind, suffix) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: kind }));
  link.download = `${data.recording}_review.${suffix}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
const saveJson = () => save(JSON.stringify(reviewed(), null, 1) + "\n", "application/json", "json");

// buttons and keys ---------------------------------------------------------------------------------------------------
function go(number) {
  if (number >= 0 && number < data.segments.length) seek(data.segments[number].start_frame / data.fps);
}
function playPlace() {
  const here = segmentAt(now());
  if (here < 0) return;
  go(here);
  play(true, data.segments[here].end_frame / data.fps);
}
function next(step) {
  const frame = frameOf(now()), current = segmentAt(now());
  if (step > 0) go(data.segments.findIndex(one => one.start_frame > frame));
  else go(data.segments.findLastIndex((one, number) => one.start_frame < frame && number !== current));
}
at("play").addEventListener("click", () => play(!playing()));
at("seek").addEventListener("input", event => seek(Number(event.target.value) / data.fps));
at("speed").addEventListener("change", event => {
  clock.own = now(); clock.since = performance.now(); clock.rate = Number(event.target.value);
  if (film) film.playbackRate = clock.rate;
});
at("in").addEventListener("click", () => zoom(0.5));
at("out").addEventListener("click", () => zoom(2));
at("fit").addEventListener("click", fit);
at("save-json").addEventListener("click", saveJson);
at("save-csv").addEventListener("click", () => save(table(), "text/csv", "csv"));
at("coder").addEventListener("input", event => { review.coder = event.target.value; keep(); });
at("forget").addEventListener("click", () => {
  review.coder = at("coder").value = "";
  review.verdicts.fill(null);
  showReview();
  try { localStorage.removeItem(place); } catch { kept = false; }
  draw(now());
});
document.addEventListener("click", event => {
  // a button that was clicked by mouse leaves the keys to the page: space plays, and does not press it again
  if (event.detail && event.target.matches("button")) event.target.blur();
  const row = event.target.closest("tr[data-segment]");
  if (!row) return;
  const number = Number(row.dataset.segment), verdict = event.target.dataset.verdict;
  if (verdict) judge(number, verdict); else if (event.target.classList.contains("go")) go(number);
});
const keys = {
  " ": () => play(!playing()), p: playPlace, j: () => next(1), k: () => next(-1),
  1: () => judge(segmentAt(now()), "accept"), 2: () => judge(segmentAt(now()), "reject"),
  3: () => judge(segmentAt(now()), "unsure"), 0: () => judge(segmentAt(now()), review.verdicts[segmentAt(now())]),
  ArrowLeft: event => seek(now() - (event.shiftKey ? 5 : 1)),
  ArrowRight: event => seek(now() + (event.shiftKey ? 5 : 1)),
  ",": () => seek((frameOf(now()) - 1) / data.fps), ".": () => seek((frameOf(now()) + 1) / data.fps),
  "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), f: fit, s: saveJson,
};
document.addEventListener("keydown", event => {
  const target = event.target;
  if (event.ctrlKey || event.altKey || event.metaKey || !(event.key in keys)) return;
  if (target.matches("input:not([type=range]), select, textarea")) return;
  if (event.key === " " && target.matches("button, a")) return;
  event.preventDefault();
  keys[event.key](event);
});

at("coder").value = review.coder;
at("kept").textContent = kept ? t.kept : t.not_kept;
showReview();
drawAll();
draw(now());
new ResizeObserver(() => draw(now())).observe(svg);
(function tick() {
  if (playing()) {
    if ((until !== null && now() >= until) || (clock.dead && now() >= duration)) play(false);
    keepInView(now());
    draw(now());
  }
  requestAnimationFrame(tick);
})();
