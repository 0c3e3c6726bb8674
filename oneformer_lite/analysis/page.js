"use strict";
// A picture's name opens its inspectors' pages, which lie in this file as text.
const pages = JSON.parse(document.getElementById("pages").textContent);
const dialog = document.getElementById("inspector"), frame = dialog.querySelector("iframe");
const choices = dialog.querySelector(".choices");

function show(of, name) {
  frame.srcdoc = of[name];
  frame.title = name;
  for (const button of choices.children) button.setAttribute("aria-pressed", button.textContent === name);
}
function open(picture, title) {
  const of = pages[picture];
  dialog.querySelector("b").textContent = title;
  choices.replaceChildren(...Object.keys(of).map(name => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.addEventListener("click", () => show(of, name));
    return button;
  }));
  show(of, Object.keys(of)[0]);
  dialog.showModal();
}
for (const button of document.querySelectorAll("[data-picture]"))
  button.addEventListener("click", () => open(button.dataset.picture, button.textContent));
dialog.querySelector(".close").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => { frame.srcdoc = ""; });
document.documentElement.dataset.drawn = "1";
