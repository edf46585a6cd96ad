// What is wider than its box scrolls in it. The box fades where it goes on, and the keyboard reaches it.
const SCROLLING =
  "pre, .pst-scrollable-table-container, .math, mjx-container[display], figure, .lm-scroll";

function markScrolled(box) {
  const more = box.scrollWidth - box.clientWidth;
  const mayScroll = /auto|scroll/.test(getComputedStyle(box).overflowX);
  if (more > 1 && mayScroll) {
    const left = box.scrollLeft > 1;
    const right = box.scrollLeft < more - 1;
    box.dataset.more = left && right ? "both" : left ? "left" : "right";
    box.tabIndex = 0;
  } else if (box.dataset.more) {
    delete box.dataset.more;
    box.removeAttribute("tabindex");
  }
}

function markAll() {
  document.querySelectorAll(`.bd-article :is(${SCROLLING})`).forEach(markScrolled);
}

addEventListener("load", () => {
  markAll();
  // Formulas are set, boxes unfolded and windows turned after the page has loaded.
  const watch = new ResizeObserver(entries => entries.forEach(entry => markScrolled(entry.target)));
  const watched = new WeakSet();
  const observeAll = () =>
    document.querySelectorAll(`.bd-article :is(${SCROLLING})`).forEach(box => {
      if (watched.has(box)) return;
      watched.add(box);
      watch.observe(box);
    });
  observeAll();
  // A live figure comes later, and brings boxes of its own.
  const article = document.querySelector(".bd-article");
  if (article) new MutationObserver(observeAll).observe(article, {childList: true, subtree: true});
  if (window.MathJax && MathJax.startup) MathJax.startup.promise.then(markAll);
  // With its own letters a formula may be narrower than with those that stood in for them.
  document.fonts.addEventListener("loadingdone", markAll);
});
document.addEventListener("scroll", event => {
  if (event.target.dataset && event.target.dataset.more) markScrolled(event.target);
}, true);

// From a file a browser loads no modules, so that figures that one can touch stay pictures.
if (location.protocol === "file:") {
  for (const figure of document.querySelectorAll("figure[data-live]")) {
    const note = document.createElement("p");
    note.className = "lm-note";
    note.textContent = "Read from a server (make serve), this figure can be touched.";
    figure.append(note);
  }
}
