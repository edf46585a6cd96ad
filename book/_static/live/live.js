// Figures that one can touch. A cell of the page draws a picture and writes beside it the numbers
// that it shows (lmcourse.plots.live). Here each such figure is handed to the module of its name,
// which puts something in the picture's place that answers to its reader:
//
//     export function mount(figure, data) { figure.append(…); }
//
// Where this script does not run, in Jupyter, in Colab, on paper, the picture stays.

for (const figure of document.querySelectorAll("figure[data-live]")) bringToLife(figure);

async function bringToLife(figure) {
  const still = [...figure.children];
  try {
    const { mount } = await import(`./${figure.dataset.live}.js`);
    const script = figure.querySelector('script[type="application/json"]');
    await mount(figure, JSON.parse(script.textContent));
    const caption = figure.querySelector(":scope > figcaption");
    if (caption) figure.append(caption); // below what was put in
    figure.classList.add("lm-mounted"); // from now on live.css hides the picture
  } catch (error) {
    for (const part of [...figure.children]) if (!still.includes(part)) part.remove();
    console.error(`the figure ${figure.dataset.live} stays a picture:`, error);
  }
}
