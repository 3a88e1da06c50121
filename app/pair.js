// Two videos in step: one button, one place in time; the longer one decides when both begin anew.
const videos = () => [...element.querySelectorAll("video")];
const duration = () => Math.max(...videos().map((video) => video.duration || 0));
const play = () => videos().forEach((video) => video.ended || video.play().catch(() => {}));
const goTo = (time) => videos().forEach((video) => {
  video.currentTime = Math.min(time, video.duration || 0);
});
const listen = (name, listener) => element.addEventListener(name, listener, true);

listen("ended", () => {
  if (videos().every((video) => video.ended)) { goTo(0); setTimeout(play); }
});
listen("timeupdate", ({ target }) => {
  const time = Math.max(...videos().map((video) => video.currentTime));
  element.querySelector("input").value = time / (duration() || 1);
  const others = videos().filter((video) => video !== target && !video.ended && !target.ended);
  const late = others.filter((video) => Math.abs(video.currentTime - target.currentTime) > 0.1);
  late.forEach((video) => { video.currentTime = target.currentTime; });
});
listen("input", ({ target }) => {
  videos().forEach((video) => video.pause());
  goTo(target.value * duration());
});
listen("click", ({ target }) => {
  if (!target.closest("[data-toggle]")) return;
  if (videos().some((video) => !video.paused)) videos().forEach((video) => video.pause());
  else { if (videos().every((video) => video.ended)) goTo(0); play(); }
});
