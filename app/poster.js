// Of what is said about a video: until its first picture is there, the video shows its poster.
const showPoster = () => element.querySelectorAll("[data-poster]").forEach(({ dataset }) => {
  const address = new URL(dataset.poster, document.baseURI).href;
  document.documentElement.style.setProperty(`--poster-of-${dataset.of}`, `url(${JSON.stringify(address)})`);
});
watch("value", showPoster);
showPoster();
