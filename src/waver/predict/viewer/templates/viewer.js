"use strict";
// Frames count from 0 on the clock of `data.fps`; the playhead is in seconds of it. A video shows the first frame at
// `data.offset_s` of its own time.
const data = JSON.parse(document.getElementById("data").textContent);
const t = data.texts;
const at = id => document.getElementById(id);
const duration = Math.max(1, data.frames) / data.fps;

// the clock: the video's own or, where none is linked or it cannot be played, one of the page ---------------------
const film = at("video");
const clock = { own: 0, playing: false, since: 0, rate: 1, dead: !film };
function now() {
  if (!clock.dead) return Math.max(0, film.currentTime - data.offset_s);
  const passed = clock.playing ? (performance.now() - clock.since) / 1000 * clock.rate : 0;
  return Math.min(duration, clock.own + passed);
}
function seek(seconds) {
  const wanted = Math.min(Math.max(0, seconds), duration);
  if (clock.dead) { clock.own = wanted; clock.since = performance.now(); } else film.currentTime = wanted + data.offset_s;
  keepInView(wanted);
  draw(wanted);
}
function playing() { return clock.dead ? clock.playing : !film.paused; }
let until = null;  // where the place that is played ends
function play(wanted, end = null) {
  until = end;
  if (clock.dead) { clock.own = now(); clock.since = performance.now(); clock.playing = wanted; }
  else if (wanted) film.play().catch(() => {});
  else film.pause();
  show();
}
function show() { at("play").textContent = playing() ? t.pause : t.play; }
if (film) {
  const broken = () => { clock.own = now(); clock.dead = true; at("broken").hidden = false; film.hidden = true; show(); };
  film.addEventListener("error", broken);
  if (film.error) broken();
  for (const change of ["play", "pause", "ended"]) film.addEventListener(change, show);
  film.addEventListener("seeked", () => draw(now()));
}

// what is said of a moment -----------------------------------------------------------------------------------------
const pad = number => String(number).padStart(2, "0");
function stamp(seconds) {
  const tenths = Math.round(seconds * 10), minutes = Math.floor(tenths / 600), rest = tenths % 600;
  const head = minutes >= 60 ? `${Math.floor(minutes / 60)}:${pad(minutes % 60)}` : String(minutes);
  return `${head}:${pad(Math.floor(rest / 10))}.${rest % 10}`;
}
// a video rounds its time to microseconds, which may lie before the frame that was sought
const frameOf = seconds => Math.min(data.frames - 1, Math.max(0, Math.floor(seconds * data.fps + 0.01)));
const bandOf = score => score < data.low ? "unlikely" : score >= data.high ? "likely" : "unclear";
function segmentAt(seconds) {
  const frame = frameOf(seconds);
  return data.segments.findIndex(one => one.start_frame <= frame && frame < one.end_frame);
}

// words under the playhead: those of the phrase, the spoken one marked -----------------------------------------------
const phrases = [];
for (const word of data.words || []) {
  const last = phrases[phrases.length - 1];
  if (last && word[1] - last[last.length - 1][2] < 700 && last.length < 24) last.push(word); else phrases.push([word]);
}
let shown = "";
function showWords(seconds) {
  if (!data.words) return;
  const ms = seconds * 1000;
  const phrase = phrases.find(one => ms < one[one.length - 1][2] + 300);
  const there = phrase && ms >= phrase[0][1] - 300;
  const spoken = there ? phrase.findIndex(one => one[1] <= ms && ms < one[2]) : -1;
  const key = there ? `${phrase[0][1]}/${spoken}` : "";
  if (key === shown) return;
  shown = key;
  const place = at("words");
  place.replaceChildren();
  if (!there) { place.textContent = t.no_words; return; }
  phrase.forEach((word, number) => {
    if (number) place.append(" ");
    if (number === spoken) { const mark = document.createElement("b"); mark.textContent = word[0]; place.append(mark); }
    else place.append(word[0]);
  });
}

// the time line ----------------------------------------------------------------------------------------------------
const svg = at("lanes"), LEFT = 92, RIGHT = 74, SVG = "http://www.w3.org/2000/svg";
const view = { from: 0, to: duration };
function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  if (text !== undefined) made.textContent = text;
  return made;
}
const wide = () => Math.max(120, svg.clientWidth - LEFT - RIGHT);
const xOf = seconds => LEFT + (seconds - view.from) / (view.to - view.from) * wide();
const xOfFrame = frame => xOf(frame / data.fps);
const secondsAt = x => view.from + (x - LEFT) / wide() * (view.to - view.from);
const within = span => span[1] / data.fps > view.from && span[0] / data.fps < view.to;
function block(span, y, height, kind) {
  const left = Math.max(LEFT, xOfFrame(span[0])), right = Math.min(LEFT + wide(), xOfFrame(span[1]));
  return element("rect", { x: left, y, width: Math.max(1.5, right - left), height, class: kind });
}
// lowest and highest value of every pixel: no peak is lost, and no path has more points than twice the pixels
function reach(values, each) {
  const first = Math.floor(view.from * data.fps), last = Math.min(values.length, Math.ceil(view.to * data.fps));
  const step = Math.max(1, (last - first) / wide());
  for (let place = first; place < last; place += step) {
    let low = Infinity, high = -Infinity;
    const end = Math.max(Math.floor(place) + 1, Math.min(last, Math.floor(place + step)));
    for (let frame = Math.floor(place); frame < end; frame++) {
      if (values[frame] < low) low = values[frame];
      if (values[frame] > high) high = values[frame];
    }
    each(xOfFrame(Math.floor(place) + 0.5), low, high);
  }
}
function label(group, text, y) { group.append(element("text", { x: LEFT - 10, y, "text-anchor": "end" }, text)); }
function drawScore(group, y, height) {
  const yOf = score => y + height * (1 - Math.min(1, Math.max(0, score)));
  for (const [kind, low, high] of [["unlikely", 0, data.low], ["unclear", data.low, data.high], ["likely", data.high, 1]]) {
    const top = yOf(high), bottom = yOf(low);
    if (bottom - top < 0.5) continue;
    group.append(element("rect", { x: LEFT, y: top, width: wide(), height: bottom - top, class: `zone-${kind}` }));
    if (bottom - top > 13) group.append(element("text", { x: LEFT + wide() + 6, y: (top + bottom) / 2 + 4 }, t[kind].toLowerCase()));
  }
  const limit = yOf(data.threshold);
  group.append(element("line", { x1: LEFT, x2: LEFT + wide(), y1: limit, y2: limit, class: "limit" }));
  let path = "";
  reach(data.probability, (x, low, high) => {
    path += `${path ? "L" : "M"}${x.toFixed(1)} ${yOf(low / 1000).toFixed(1)}`;
    if (high !== low) path += `L${x.toFixed(1)} ${yOf(high / 1000).toFixed(1)}`;
  });
  group.append(element("path", { d: path, class: "score", "clip-path": "url(#inside)" }));
  label(group, t.lane_probability, y + height / 2 + 4);
}
const most = Math.max(1, ...data.modalities.filter(one => one.adds).map(one => one.adds.reduce((a, b) => Math.max(a, Math.abs(b)), 0)));
function drawModality(group, one, y, height) {
  const middle = y + height / 2, yOf = value => middle - value / most * height / 2;
  label(group, t[`lane_${one.name}`] || one.name, middle + 4);
  group.append(element("line", { x1: LEFT, x2: LEFT + wide(), y1: middle, y2: middle, class: "base" }));
  if (one.adds) {
    let upper = "", lower = "";
    const first = Math.max(LEFT, xOfFrame(Math.floor(view.from * data.fps)));
    let x = first;
    reach(one.adds, (place, low, high) => {
      x = place;
      upper += `L${place.toFixed(1)} ${yOf(Math.max(0, high)).toFixed(1)}`;
      lower += `L${place.toFixed(1)} ${yOf(Math.min(0, low)).toFixed(1)}`;
    });
    for (const part of [upper, lower]) {
      group.append(element("path", { d: `M${first} ${middle}${part}L${x.toFixed(1)} ${middle}Z`, class: one.name, "clip-path": "url(#inside)" }));
    }
  } else {
    group.append(element("rect", { x: LEFT, y: middle - 3, width: wide(), height: 6, class: one.name }));
  }
  for (const gap of one.gaps.filter(within)) {
    const hidden = block(gap, y - 1, height + 2, "");
    hidden.setAttribute("fill", "var(--paper)");
    group.append(hidden, block(gap, y + 2, height - 4, "missing"));
  }
}
function drawRuler(group, y) {
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200];
  const step = steps.find(one => one / (view.to - view.from) * wide() > 64) || 1800;
  for (let second = Math.ceil(view.from / step) * step; second <= view.to + 1e-6; second += step) {
    const x = xOf(second);
    group.append(element("line", { x1: x, x2: x, y1: y, y2: y + 5, class: "limit" }));
    group.append(element("text", { x, y: y + 18, "text-anchor": "middle" }, step < 1 ? stamp(second) : stamp(second).slice(0, -2)));
  }
}
const signs = { accept: "✓", reject: "✗", unsure: "?" };
function drawSegments(group, y, height) {
  label(group, t.lane_predicted, y + height / 2 + 4);
  data.segments.forEach((one, number) => {
    if (!within([one.start_frame, one.end_frame])) return;
    const box = block([one.start_frame, one.end_frame], y, height, "predicted");
    box.dataset.segment = number;
    box.append(element("title", {}, `${number + 1}: ${one.mean.toFixed(2)} ${one.cues.join("; ")}`));
    group.append(box);
    const width = Number(box.getAttribute("width"));
    const text = `${number + 1}${signs[review.verdicts[number]] || ""}`;
    if (width > 9 * text.length) group.append(element("text", { x: Number(box.getAttribute("x")) + width / 2, y: y + height / 2 + 4, "text-anchor": "middle", class: "on-segment" }, text));
  });
}
function drawAll() {
  const group = element("g", {});
  let y = 8;
  drawScore(group, y, 92); y += 102;
  drawSegments(group, y, 20); y += 26;
  if (data.annotated) {
    label(group, t.lane_annotated, y + 13);
    for (const span of data.annotated.filter(within)) group.append(block(span, y + 3, 12, "annotated"));
    y += 24;
  }
  for (const pair in data.conflict) {
    label(group, pair.split("+").map(name => t[`lane_${name}`] || name).join("–"), y + 12);
    group.append(element("line", { x1: LEFT, x2: LEFT + wide(), y1: y + 8, y2: y + 8, class: "base" }));
    for (const span of data.conflict[pair].filter(within)) group.append(block(span, y + 4, 8, "conflict"));
    y += 16;
  }
  if (Object.keys(data.conflict).length) y += 4;
  for (const one of data.modalities) { drawModality(group, one, y, 36); y += 40; }
  drawRuler(group, y); y += 26;
  const hatch = element("pattern", { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse" });
  hatch.append(element("path", { d: "M-1 7L7 -1M-1 1L1 -1M5 7L7 5" }));
  const inside = element("clipPath", { id: "inside" });
  inside.append(element("rect", { x: LEFT, y: 0, width: wide(), height: y }));
  const definitions = element("defs", {});
  definitions.append(hatch, inside);
  playhead = element("line", { y1: 0, y2: y, class: "playhead" });
  svg.replaceChildren(definitions, group, playhead);
  svg.style.height = `${y}px`;
  drawn = state();
  here = null;
}
let playhead = null, drawn = "", here = null;
const state = () => `${view.from}/${view.to}/${svg.clientWidth}/${review.verdicts}`;
function showHere(number) {
  if (number === here) return;
  here = number;
  for (const one of document.querySelectorAll("tr[data-segment], #lanes .predicted")) one.classList.toggle("here", Number(one.dataset.segment) === here);
  const row = document.querySelector("tr.here"), box = row && row.closest(".scroll");
  if (box && (row.offsetTop < box.scrollTop || row.offsetTop + row.offsetHeight > box.scrollTop + box.clientHeight)) box.scrollTop = row.offsetTop - 40;
}
function draw(seconds) {
  if (drawn !== state()) drawAll();
  showHere(segmentAt(seconds));
  const x = xOf(seconds), outside = x < LEFT - 1 || x > LEFT + wide() + 1;
  playhead.setAttribute("x1", x);
  playhead.setAttribute("x2", x);
  playhead.setAttribute("visibility", outside ? "hidden" : "visible");
  at("seek").value = Math.round(seconds * data.fps);
  at("seek").setAttribute("aria-valuetext", stamp(seconds));
  const score = data.probability[frameOf(seconds)] / 1000;
  at("now").textContent = data.frames
    ? t.now.replace("{time}", stamp(seconds)).replace("{score}", score.toFixed(2)).replace("{band}", t[bandOf(score)].toLowerCase()) : "";
  showWords(seconds);
}
function keepInView(seconds) {
  const length = view.to - view.from;
  if (seconds < view.from || seconds > view.to) show_from(seconds - length / 5, length);
}
function show_from(from, length) {
  const kept = Math.min(duration, Math.max(0.1, length));
  view.from = Math.min(Math.max(0, from), duration - kept);
  view.to = view.from + kept;
}
function zoom(factor) {
  const length = (view.to - view.from) * factor, middle = Math.min(Math.max(now(), view.from), view.to);
  show_from(middle - (middle - view.from) * factor, length);
  draw(now());
}
function fit() { show_from(0, duration); draw(now()); }
let held = false;
svg.addEventListener("pointerdown", event => {
  const segment = event.target.dataset.segment;
  if (segment !== undefined) { go(Number(segment)); return; }
  held = true;
  svg.setPointerCapture(event.pointerId);
  seek(secondsAt(event.clientX - svg.getBoundingClientRect().left));
});
svg.addEventListener("pointermove", event => { if (held) seek(secondsAt(event.clientX - svg.getBoundingClientRect().left)); });
svg.addEventListener("pointerup", () => { held = false; });

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
  for (const row of document.querySelectorAll("tr[data-segment]")) for (const button of row.querySelectorAll("[data-verdict]")) {
    button.setAttribute("aria-pressed", String(review.verdicts[Number(row.dataset.segment)] === button.dataset.verdict));
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
  return { format: 1, recording: data.recording, coder: review.coder, model: data.model, stamp: data.stamp, fps: data.fps, segments };
}
// a spreadsheet takes what begins with = + - @ for a formula
const cell = value => { const text = String(value ?? "").replace(/^[=+\-@\t\r]/, "'$&"); return /[",\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text; };
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
  else go(data.segments.reduce((found, one, number) => one.start_frame < frame && number !== current ? number : found, -1));
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
  1: () => judge(segmentAt(now()), "accept"), 2: () => judge(segmentAt(now()), "reject"), 3: () => judge(segmentAt(now()), "unsure"),
  0: () => judge(segmentAt(now()), review.verdicts[segmentAt(now())]),
  ArrowLeft: event => seek(now() - (event.shiftKey ? 5 : 1)), ArrowRight: event => seek(now() + (event.shiftKey ? 5 : 1)),
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
