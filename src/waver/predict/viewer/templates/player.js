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
  if (clock.dead) { clock.own = wanted; clock.since = performance.now(); }
  else film.currentTime = wanted + data.offset_s;
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
  const broken = () => {
    clock.own = now();
    clock.dead = true;
    at("broken").hidden = false;
    film.hidden = true;
    show();
  };
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

