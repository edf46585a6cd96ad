// A file of weights: eight bytes with the length of the header, the header in JSON (for each tensor
// its type, its shape and where it lies), then the numbers. https://huggingface.co/docs/safetensors

// { name: { shape, data } }; data is a Float32Array, whatever the type in the file.
export function readSafetensors(buffer) {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const tensors = {};
  for (const [name, { dtype, shape, data_offsets }] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    if (!(dtype in READERS)) throw new Error(`${name} must have the type F32, F16 or BF16, got ${dtype}`);
    // A copy, because a typed array must begin at a multiple of its numbers' size.
    const bytes = buffer.slice(8 + length + data_offsets[0], 8 + length + data_offsets[1]);
    tensors[name] = { shape, data: READERS[dtype](bytes) };
  }
  return tensors;
}

const READERS = {
  F32: (bytes) => new Float32Array(bytes),
  // The upper half of a float32.
  BF16: (bytes) => new Float32Array(new Uint32Array(new Uint16Array(bytes)).map((bits) => bits << 16).buffer),
  F16: (bytes) => new Float32Array(new Uint16Array(bytes)).map(halfToNumber),
};

// One bit of sign, five of exponent, ten of fraction.
function halfToNumber(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24; // near zero the steps stay the same
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  return sign * POWERS[exponent] * (1024 + fraction);
}

const POWERS = Array.from({ length: 32 }, (_, exponent) => 2 ** (exponent - 25));
