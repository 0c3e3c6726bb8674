"use strict";
// Keys, buttons and swipes turn the slides; the address says which one is shown, so that it can be sent or reloaded.
const HIGHEST = 20000;
const LOWEST = 0.25, SMALLEST = 0.45;  // of the window, of a picture: it is not made smaller so that its slide fits
let slides = [], now = 0;

function fit(slide) {  // pictures give way until nothing lies under the footer; what would be too small to read scrolls
  const pictures = [...slide.querySelectorAll("img")];
  for (const picture of pictures) picture.style.maxHeight = "";
  const over = Math.max(0, slide.scrollHeight - slide.clientHeight);
  for (const picture of pictures) {
    const whole = picture.naturalHeight * Math.min(1, picture.parentElement.clientWidth / picture.naturalWidth);
    const wanted = Math.max(innerHeight * LOWEST, picture.clientHeight - over / pictures.length);
    picture.style.maxHeight = wanted < SMALLEST * whole ? "none" : `${wanted}px`;
  }
}

function show(number) {
  now = Math.max(0, Math.min(slides.length - 1, number));
  slides.forEach((slide, n) => slide.classList.toggle("now", n === now));
  slides[now].scrollTop = 0;
  fit(slides[now]);
  document.querySelector("footer output").textContent = `${now + 1} / ${slides.length}`;
  document.querySelector(".progress").style.width = `${100 * (now + 1) / slides.length}%`;
  history.replaceState(null, "", `#${now + 1}`);
}

const KEYS = { ArrowRight: 1, PageDown: 1, " ": 1, n: 1, ArrowLeft: -1, PageUp: -1, Backspace: -1, p: -1, Home: -1e9, End: 1e9 };

addEventListener("DOMContentLoaded", () => {
  slides = [...document.querySelectorAll(".slide")];
  if (!slides.length) return;
  document.documentElement.classList.add("live");
  const asked = () => (Number(location.hash.slice(1)) || 1) - 1;
  show(asked());
  addEventListener("hashchange", () => show(asked()));
  for (const event of ["resize", "load"]) addEventListener(event, () => fit(slides[now]));
  addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT|SUMMARY|BUTTON)$/.test(event.target.tagName) && event.key === " ") return;
    const step = event.shiftKey && event.key === " " ? -1 : KEYS[event.key];
    if (step) { event.preventDefault(); show(now + step); }
    if (event.key === "f") document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen?.();
  });
  for (const button of document.querySelectorAll("footer button"))
    button.addEventListener("click", () => show(now + Number(button.dataset.step)));
  let began = null;
  addEventListener("touchstart", event => { began = event.touches[0]; }, { passive: true });
  addEventListener("touchend", event => {
    const end = event.changedTouches[0], across = end.clientX - began.clientX;
    if (Math.abs(across) > 60 && Math.abs(across) > 2 * Math.abs(end.clientY - began.clientY)) show(now - Math.sign(across));
  });
  document.documentElement.dataset.drawn = "";
});

addEventListener("message", event => {  // an inspector says how high it is
  const height = Number(event.data?.height);
  for (const frame of document.querySelectorAll("iframe.ofl-frame"))
    if (frame.contentWindow === event.source && height > 0) frame.style.height = `${Math.min(HIGHEST, Math.ceil(height))}px`;
});
