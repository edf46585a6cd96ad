"""What a browser sees of a page that a reader cannot, or need not: words cut off, tables in pipes,
lost bullets, a value printed by mistake, a line for each of its parts.

`FAULTS` is evaluated in a page and returns sentences. The browser gate and `look.py` ask it.
"""

FAULTS = r"""() => {
    const article = document.querySelector('article') || document.body;
    const faults = [];
    const isSeen = each => each.checkVisibility({visibilityProperty: true});
    const box = each => each.getBoundingClientRect();
    const tell = each => {
        const name = each.className && each.className.baseVal === undefined ? each.className : '';
        const words = each.textContent.trim().replace(/\s+/g, ' ').slice(0, 60);
        return `${each.tagName.toLowerCase()}${name ? '.' + name.split(' ')[0] : ''} “${words}”`;
    };

    // What stands there for those who listen is no part of the picture.
    const silent = document.createElement('style');
    silent.textContent = 'mjx-assistive-mml { display: none !important }';
    document.head.append(silent);

    // A box that hides what is wider than itself, or lets one scroll and gives no sign of it. What
    // is for screen readers only is a pixel wide.
    for (const each of article.querySelectorAll('*')) {
        if (each.closest('svg, mjx-math') || each.clientWidth < 2) continue;
        const more = each.scrollWidth - each.clientWidth;
        if (more <= 1 && each.dataset.more && isSeen(each))
            faults.push(`a box that holds all of it must not fade, got ${tell(each)}`);
        if (more <= 1 || !isSeen(each)) continue;
        const how = getComputedStyle(each).overflowX;
        if (how === 'hidden' || how === 'clip')
            faults.push(`nothing may be cut off, got ${more} px of ${tell(each)}`);
        else if (how !== 'visible' && !each.dataset.more)
            faults.push(`a box that scrolls must fade where it goes on, got ${tell(each)}`);
    }

    // A drawing ends where its box does, and its words with it.
    for (const drawing of article.querySelectorAll('svg, img')) {
        if (!isSeen(drawing)) continue;
        const edge = box(drawing);
        const frame = box(drawing.closest('figure') || drawing.parentElement);
        if (edge.right > frame.right + 1 && frame.width > 1)
            faults.push(`a drawing must fit its figure, got ${Math.round(edge.right - frame.right)}`
                + ` px more: ${tell(drawing)}`);
        for (const words of drawing.querySelectorAll('text')) {
            const mine = box(words);
            const lost = Math.max(edge.left - mine.left, mine.right - edge.right,
                                  edge.top - mine.top, mine.bottom - edge.bottom);
            if (lost > 2)
                faults.push(`words of a drawing must lie inside it, got ${Math.round(lost)} px`
                    + ` outside: ${tell(words)}`);
        }
    }

    // A table that no one recognized as one.
    for (const each of article.querySelectorAll('p, li, dd, td, blockquote, figcaption')) {
        if (!isSeen(each) || each.querySelector('p, li, pre')) continue;
        const lines = each.innerText.split('\n').map(line => line.trim());
        const isRow = line => line.startsWith('|') && line.split('|').length > 2;
        if (lines.some(line => /\|\s*:?-{3,}/.test(line)) || lines.filter(isRow).length > 1)
            faults.push(`a table must not be printed as pipes, got ${tell(each)}`);
    }

    for (const each of article.querySelectorAll('.cell_output pre')) {
        const lines = each.textContent.trimEnd().split('\n').length;
        if (lines > 40 && isSeen(each))
            faults.push(`printed output must have at most 40 lines, got ${lines}: ${tell(each)}`);
    }

    // A bullet hangs left of its item; with too little room there it lies on a border.
    for (const item of article.querySelectorAll('li')) {
        const style = getComputedStyle(item);
        const isBare = style.listStyleType === 'none' || style.display !== 'list-item';
        if (isBare || style.listStylePosition === 'inside' || !isSeen(item)) continue;
        const list = item.parentElement;
        const em = parseFloat(style.fontSize);
        const digits = list.tagName === 'OL' ? String(list.children.length).length : 0;
        const bullet = box(item).left + parseFloat(style.paddingLeft)
            - em * (digits ? 0.9 + 0.55 * digits : 1.05);
        for (let each = list; each && each !== article; each = each.parentElement) {
            const border = parseFloat(getComputedStyle(each).borderLeftWidth);
            if (!border) continue;
            if (bullet < box(each).left + border)
                faults.push(`a bullet must not lie on a border, got ${tell(item)}`);
            break;
        }
    }

    // The button that unfolds a box lies on the line of its title, whose words end before it.
    for (const button of article.querySelectorAll('.admonition-title button')) {
        const title = button.closest('.admonition-title'), edge = box(button);
        const walker = document.createTreeWalker(title, NodeFilter.SHOW_TEXT);
        const range = document.createRange();
        let isUnder = false;
        while (walker.nextNode()) {
            if (button.contains(walker.currentNode)) continue;
            range.selectNodeContents(walker.currentNode);
            isUnder ||= [...range.getClientRects()].some(line =>
                line.right > edge.left + 1 && line.left < edge.right - 1
                && line.bottom > edge.top + 4 && line.top < edge.bottom - 4);
        }
        if (isUnder && isSeen(title))
            faults.push(`a title must end before its button, got ${tell(title)}`);
    }
    silent.remove();
    return faults;
}"""
