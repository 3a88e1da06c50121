// Plays a film that grows: its parts one after the other, as if they were one video. While one part plays, the next is loaded behind it.
const players = [...element.querySelectorAll("video")];
const toggle = element.querySelector("[data-toggle]");
const slider = element.querySelector("input");
const clock = element.querySelector("output");
let clips = [], duration = 0, now = 0, shown = 0, wanted = true;

const front = () => players[shown];
const time = () => (clips[now]?.begin ?? 0) + (front().currentTime || 0);
const tell = () => { toggle.textContent = front().paused ? toggle.dataset.play : toggle.dataset.pause; };
const say = () => {
  const at = Math.min(time(), duration);
  slider.max = duration;
  slider.value = at;
  const told = (t) => `${Math.floor(t / 60)}:${(t % 60).toFixed(1).padStart(4, "0")}`;
  clock.textContent = `${told(at)} / ${told(duration)}`;
  slider.setAttribute("aria-valuetext", clock.textContent);
  window.dispatchEvent(new CustomEvent("film-time", { detail: at }));
};
const load = (player, index) => {
  const src = clips[index] && new URL(clips[index].src, document.baseURI).href;
  if (src && player.src !== src) { player.src = src; player.load(); }
};
const swap = (player) => { // unless another one was asked for while it was loaded: one is always seen
  if (player !== front()) return;
  players.forEach((other) => { other.classList.toggle("front", other === player); if (other !== player) other.pause(); });
};
const play = () => { if (wanted) front().play().catch(() => {}); };
const show = (index, at = 0) => {
  if (!clips.length) return;
  now = (index + clips.length) % clips.length;
  const src = new URL(clips[now].src, document.baseURI).href;
  if (front().src !== src) shown = 1 - shown;
  load(front(), now);
  const player = front();
  const seek = () => { if (player.src === src) player.currentTime = at; };
  if (player.readyState > 0) seek(); else player.addEventListener("loadedmetadata", seek, { once: true });
  if (player.readyState > 1) swap(player); else player.addEventListener("loadeddata", () => swap(player), { once: true });
  play();
  tell();
  if (clips.length > 1) load(players[1 - shown], (now + 1) % clips.length);
  say();
};
const goTo = (at) => {
  const index = Math.max(clips.findLastIndex((clip) => clip.begin <= at + 1e-6), 0);
  if (index === now && front().src) { front().currentTime = at - clips[now].begin; play(); say(); }
  else show(index, at - clips[index].begin);
};
const update = () => {
  const value = props.value || {}; // a page that has just been loaded may know of nothing yet
  const is = value.clips ?? [], was = clips.map((clip) => clip.src);
  const isOther = is.length < was.length || was.some((src, index) => src !== is[index].src);
  const at = time(), key = value.key ?? "", isWhole = key === element.dataset.key;
  clips = is;
  duration = value.duration ?? 0;
  element.dataset.key = key;
  element.toggleAttribute("data-empty", !clips.length);
  players.forEach((player) => player.setAttribute("aria-label", value.label || ""));
  if (!clips.length) { players.forEach((player) => player.removeAttribute("src")); return; }
  if (isOther || !front().src) { now = -1; goTo(isWhole ? Math.min(at, duration - 0.1) : 0); }
  say();
};
const onEnd = (player) => {
  if (player !== front()) return;
  if (clips.length === 1) { player.currentTime = 0; play(); } else show(now + 1);
};
players.forEach((player) => {
  player.addEventListener("ended", () => onEnd(player));
  player.addEventListener("timeupdate", () => player === front() && say());
  for (const name of ["play", "pause"]) { // not at a part's end, where the next one begins
    player.addEventListener(name, () => player === front() && !player.ended && tell());
  }
});
toggle.addEventListener("click", () => { wanted = front().paused; if (wanted) play(); else front().pause(); });
slider.addEventListener("input", () => { wanted = false; front().pause(); goTo(Number(slider.value)); });
window.addEventListener("film-seek", ({ detail }) => { wanted = true; goTo(detail); });
watch("value", update);
update();
