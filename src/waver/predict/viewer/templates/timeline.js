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
  const zones = [["unlikely", 0, data.low], ["unclear", data.low, data.high], ["likely", data.high, 1]];
  for (const [kind, low, high] of zones) {
    const top = yOf(high), bottom = yOf(low);
    if (bottom - top < 0.5) continue;
    group.append(element("rect", { x: LEFT, y: top, width: wide(), height: bottom - top, class: `zone-${kind}` }));
    if (bottom - top > 13) {
      group.append(element("text", { x: LEFT + wide() + 6, y: (top + bottom) / 2 + 4 }, t[kind].toLowerCase()));
    }
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
const greatest = values => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
const most = Math.max(1, ...data.modalities.filter(one => one.adds).map(one => greatest(one.adds)));
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
      const d = `M${first} ${middle}${part}L${x.toFixed(1)} ${middle}Z`;
      group.append(element("path", { d, class: one.name, "clip-path": "url(#inside)" }));
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
    const told = step < 1 ? stamp(second) : stamp(second).slice(0, -2);
    group.append(element("text", { x, y: y + 18, "text-anchor": "middle" }, told));
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
    if (width > 9 * text.length) {
      const x = Number(box.getAttribute("x")) + width / 2;
      group.append(element("text", { x, y: y + height / 2 + 4, "text-anchor": "middle", class: "on-segment" }, text));
    }
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
  for (const one of document.querySelectorAll("tr[data-segment], #lanes .predicted")) {
    one.classList.toggle("here", Number(one.dataset.segment) === here);
  }
  const row = document.querySelector("tr.here"), box = row && row.closest(".scroll");
  if (!box) return;
  const below = row.offsetTop + row.offsetHeight > box.scrollTop + box.clientHeight;
  if (below || row.offsetTop < box.scrollTop) box.scrollTop = row.offsetTop - 40;
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
  const said = t.now.replace("{time}", stamp(seconds)).replace("{score}", score.toFixed(2));
  at("now").textContent = said.replace("{band}", t[bandOf(score)].toLowerCase());
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
svg.addEventListener("pointermove", event => {
  if (held) seek(secondsAt(event.clientX - svg.getBoundingClientRect().left));
});
svg.addEventListener("pointerup", () => { held = false; });

