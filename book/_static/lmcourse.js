// A picture that is wider than its box scrolls in it; then the keyboard must reach it too.
function reachScrolledPictures() {
  for (const box of document.querySelectorAll("figure.lm-picture")) {
    if (box.scrollWidth > box.clientWidth) box.setAttribute("tabindex", "0");
    else box.removeAttribute("tabindex");
  }
}
addEventListener("load", reachScrolledPictures);
addEventListener("resize", reachScrolledPictures);
