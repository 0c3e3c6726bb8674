"use strict";
// A frame is as high as its page: an inspector's page grows and shrinks with what it shows, and says so.
const HIGHEST = 20000;
addEventListener("message", event => {
  const height = Number(event.data?.height);
  for (const frame of document.querySelectorAll("iframe.ofl-frame"))
    if (frame.contentWindow === event.source && height > 0) frame.style.height = `${Math.min(HIGHEST, Math.ceil(height))}px`;
});
