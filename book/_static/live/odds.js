// From logits to the odds of each token: the rules of `lmcourse.generation`, in its order.

// The likeliest first, and of equals the one that stands first.
export function ranking(logits) {
  return [...logits.keys()].sort((a, b) => logits[b] - logits[a] || a - b);
}

export function softmax(logits) {
  const highest = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = Array.from(logits, (logit) => Math.exp(logit - highest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

// softmax(logits / temperature) among the tokens that the two rules keep, and 0 for the others.
export function odds(logits, { temperature = 1, topK = Infinity, topP = 1 } = {}) {
  const order = ranking(logits);
  const shares = new Array(logits.length).fill(0);
  if (temperature === 0) {
    shares[order[0]] = 1; // what all the odds tend to: the likeliest token, always
    return shares;
  }
  const highest = logits[order[0]];
  const scaled = (indices) => indices.map((index) => (logits[index] - highest) / temperature);
  let kept = order.slice(0, topK);
  if (topP < 1) kept = nucleus(kept, softmax(scaled(kept)), topP);
  softmax(scaled(kept)).forEach((share, rank) => (shares[kept[rank]] = share));
  return shares;
}

// The fewest of the likeliest that together have topP or more. A token stays if it and those after
// it have more than 1 − topP: summed from the smallest on, rounding loses none.
function nucleus(order, shares, topP) {
  let rest = 0;
  let end = order.length;
  for (let rank = order.length - 1; rank > 0; rank--) {
    rest += shares[rank];
    if (rest <= 1 - topP) end = rank;
  }
  return order.slice(0, end);
}

// The index at which a point between 0 and 1 falls when the shares lie side by side.
export function draw(shares, point = Math.random()) {
  let sum = 0;
  let last = 0;
  for (let index = 0; index < shares.length; index++) {
    if (shares[index] === 0) continue;
    sum += shares[index];
    last = index;
    if (point < sum) return index;
  }
  return last; // the shares' sum may have been rounded down
}
