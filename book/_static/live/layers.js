// The layers of a GPT for one position: a vector goes in, a vector comes out.

// W x + b. W lies in memory row by row, a row for each number that comes out. Four rows at once are
// much faster than one: each x[i] is fetched for all four, and no sum has to wait for another.
export function linear(x, { weight, bias }) {
  const width = x.length;
  const height = weight.length / width;
  const y = bias ? bias.slice() : new Float32Array(height);
  let row = 0;
  for (; row + 3 < height; row += 4) {
    let a = 0, b = 0, c = 0, d = 0;
    for (let i = 0, at = row * width; i < width; i++, at++) {
      a += weight[at] * x[i];
      b += weight[at + width] * x[i];
      c += weight[at + 2 * width] * x[i];
      d += weight[at + 3 * width] * x[i];
    }
    y[row] += a;
    y[row + 1] += b;
    y[row + 2] += c;
    y[row + 3] += d;
  }
  for (; row < height; row++) {
    let sum = 0;
    for (let i = 0, at = row * width; i < width; i++, at++) sum += weight[at] * x[i];
    y[row] += sum;
  }
  return y;
}

export const add = (x, y) => x.map((number, i) => number + y[i]);

// Mean 0 and variance 1, then a factor and a shift for each number.
export function layerNorm(x, { weight, bias }, epsilon = 1e-5) {
  let mean = 0;
  for (const number of x) mean += number / x.length;
  let variance = 0;
  for (const number of x) variance += (number - mean) ** 2 / x.length;
  const scale = 1 / Math.sqrt(variance + epsilon);
  return x.map((number, i) => (number - mean) * scale * weight[i] + bias[i]);
}

// A mean square of 1, then a factor for each number.
export function rmsNorm(x, { weight }, epsilon = 1e-5) {
  let square = 0;
  for (const number of x) square += number ** 2 / x.length;
  const scale = 1 / Math.sqrt(square + epsilon);
  return x.map((number, i) => number * scale * weight[i]);
}

// ---- Activations -------------------------------------------------------------------------------

export const silu = (x) => x / (1 + Math.exp(-x));
export const gelu = (x) => 0.5 * x * (1 + erf(x / Math.SQRT2));
export const geluTanh = (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

// Abramowitz and Stegun, formula 7.1.26: wrong by less than 1.5e-7 everywhere.
export function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const sum = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - sum * Math.exp(-x * x));
}

// ---- Attention ---------------------------------------------------------------------------------

// Rotary positions: each pair (xᵢ, xᵢ₊D/₂) of a head is rotated by position · theta^(−2i / D).
export function applyRotary(x, nHeads, position, theta = 10000) {
  const width = x.length / nHeads;
  const half = width / 2;
  for (let i = 0; i < half; i++) {
    const angle = position / theta ** ((2 * i) / width);
    const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
    for (let at = i; at < x.length; at += width) {
      const [first, second] = [x[at], x[at + half]];
      x[at] = first * cosine - second * sine;
      x[at + half] = second * cosine + first * sine;
    }
  }
}

// What one head takes from the positions so far: the weights, and into `mixed` their mix of values.
// keys and values hold a row of `width` numbers for each position; the head's begin at `from`.
export function attend(query, keys, values, n, width, from, mixed) {
  const size = query.length;
  const weights = new Float32Array(n);
  let highest = -Infinity;
  for (let s = 0; s < n; s++) {
    let score = 0;
    for (let i = 0, at = s * width + from; i < size; i++) score += query[i] * keys[at + i];
    weights[s] = score / Math.sqrt(size);
    highest = Math.max(highest, weights[s]);
  }
  let sum = 0;
  for (let s = 0; s < n; s++) sum += weights[s] = Math.exp(weights[s] - highest);
  for (let s = 0; s < n; s++) {
    weights[s] /= sum;
    for (let i = 0, at = s * width + from; i < size; i++) mixed[i] += weights[s] * values[at + i];
  }
  return weights;
}
