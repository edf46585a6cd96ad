// Ties nbgrader's pages to this server: formulas by a MathJax of this machine, no links to an
// editor that does not run here.

// nbgrader's script was written for MathJax 2 and only asks it when it has finished.
const whenSet = [];
const startup = {signal: {Interest: listener => whenSet.push(listener)}};
const finished = () => whenSet.splice(0).forEach(listener => listener("End"));

// TeX can name a link, a style, a class or an id: here it only draws.
const FORBIDDEN = ["href", "style", "class", "id"];
const disarm = math => math.root.walkTree(node => {
    const own = node.attributes?.getAllAttributes();
    if (own) FORBIDDEN.forEach(name => delete own[name]);
});

window.MathJax = {
    tex: {
        inlineMath: [["$", "$"], ["\\(", "\\)"]],
        processEscapes: true,
        packages: ["base", "ams", "newcommand", "noundefined"],
        maxMacros: 1000,
    },
    options: {
        enableMenu: false,
        ignoreHtmlClass: "\\S+",
        processHtmlClass: "rendered_html",
        renderActions: {
            disarm: [21, doc => { for (const math of doc.math) disarm(math); }, disarm],
        },
    },
    startup: {
        ready() {
            MathJax.Hub = {Startup: startup};
            MathJax.startup.defaultReady();
            MathJax.startup.promise.finally(finished);
        },
    },
    // Without MathJax, formulas stay as they were written.
    Hub: {Startup: {signal: {Interest: listener => setTimeout(listener, 0, "End")}}},
};

// "Open live notebook" would run a learner's code with your rights; such links become plain text.
window.linkTo = () => (_, link) => $("<span/>").text(link.textContent)[0];
$(() => $(".live-notebook a").removeAttr("title"));

// nbgrader's pages say nothing of an entry that was not saved.
const WHY = {
    0: "the server does not answer. Start it again, then load this page again",
    404: "another notebook of this learner was graded since this page was opened. Load it again, and "
        + "look at the new answer before you give points",
};
$(document).on("ajaxError", (_, answer, {type}) => {
    if (type !== "PUT") return;
    const why = WHY[answer.status] ?? `the server answers ${answer.status}. Load this page again`;
    $(".not-saved").remove();
    $("<p class='not-saved' role='alert'/>").text(`Not saved: ${why}.`).appendTo("body");
});
