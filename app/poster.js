// Of what is said about a video: until its first picture is there, the video shows its poster.
const showPoster = () => element.querySelectorAll("[data-poster]").forEach(({ dataset }) => {
  const address = new URL(dataset.poster, document.baseURI).href;
  document.documentElement.style.setProperty(`--poster-of-${dataset.of}`, `url(${JSON.stringify(address)})`);
});
watch("value", showPoster);
showPoster();
if (!window.hidesPosters) { // a film of another shape, as before and after, would stand before it
  window.hidesPosters = true;
  document.addEventListener("loadeddata", ({ target }) => target.style.setProperty("--poster", "none"), true);
  document.addEventListener("emptied", ({ target }) => target.style.removeProperty("--poster"), true);
}
