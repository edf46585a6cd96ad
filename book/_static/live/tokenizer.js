// Text to ids and back, by the tokenizer.json that Python saved: `encode` gives the same ids as
// lmcourse.tokenizers.

// { tokens: what each id stands for, as bytes; encode(text); decode(ids) }
export function makeTokenizer(kind, file) {
  if (kind === "bpe") return bytePairs(file);
  if (kind === "chars") return characters(file);
  throw new Error(`the tokenizer must be bpe or chars, got ${kind}`);
}

const toBytes = (text) => [...new TextEncoder().encode(text)];

function withDecoder(tokens, encode) {
  const decode = (ids) => new TextDecoder().decode(Uint8Array.from(ids.flatMap((id) => tokens[id])));
  return { tokens, encode, decode };
}

// ---- One id for each character -----------------------------------------------------------------

function characters({ characters, unknown }) {
  const known = [...(unknown ? ["<unk>"] : []), ...characters];
  const ids = new Map(known.map((character, id) => [character, id]));
  function encode(text) {
    return [...text].map((character) => {
      if (unknown) return ids.get(character) ?? 0;
      if (!ids.has(character)) throw new Error(`the model does not know the character “${character}”`);
      return ids.get(character);
    });
  }
  return withDecoder(known.map(toBytes), encode);
}

// ---- Byte pairs --------------------------------------------------------------------------------

// The words inside of which bytes are merged: the end of a contraction, letters with one sign before
// them (mostly the space), up to three digits, other signs, white space at the end of the text, ends of
// lines, other white space. Python means by \s what Unicode calls white space; JavaScript has one sign
// more and one less.
const S = "\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const WORD = new RegExp(
  "'(?:[sdmtSDMT\\u017f]|[lL][lL]|[vV][eE]|[rR][eE])" +
    "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}" +
    `| ?[^${S}\\p{L}\\p{N}]+[\\r\\n]*|[${S}]+$|[${S}]*[\\r\\n]|[${S}]+(?![^${S}])|[${S}]`,
  "gu",
);

function bytePairs({ merges, special_tokens }) {
  const tokens = Array.from({ length: 256 }, (_, byte) => [byte]);
  const newIds = new Map(); // the id that a pair becomes; the smaller, the earlier learned
  for (const [first, second] of merges) {
    newIds.set(`${first} ${second}`, tokens.length);
    tokens.push([...tokens[first], ...tokens[second]]);
  }
  tokens.push(...special_tokens.map(toBytes));
  const words = (text) => (text.match(WORD) ?? []).map(toBytes);
  const encode = (text) => words(text).flatMap((word) => merge(word, newIds));
  return { ...withDecoder(tokens, encode), steps: (text) => steps(words(text), newIds) };
}

// Merges, each time the pair that was learned first, until no pair is left that was learned.
function merge(ids, newIds) {
  for (;;) {
    const best = earliest(ids, newIds);
    if (best === Infinity) return ids;
    ids = join(ids, newIds, best);
  }
}

// The same over all words at once, kept step by step: [{ id, words }], of which the first is the bytes,
// with id null, and each other one what is there after the merge that makes `id`.
function steps(words, newIds) {
  const history = [{ id: null, words }];
  for (;;) {
    const firsts = words.map((ids) => earliest(ids, newIds));
    const id = firsts.reduce((least, each) => Math.min(least, each), Infinity);
    if (id === Infinity) return history;
    words = words.map((ids, index) => (firsts[index] === id ? join(ids, newIds, id) : ids));
    history.push({ id, words });
  }
}

const idOf = (ids, i, newIds) => newIds.get(`${ids[i]} ${ids[i + 1]}`) ?? Infinity;

// The id of the pair that was learned first; Infinity if there is none.
function earliest(ids, newIds) {
  let best = Infinity;
  for (let i = 0; i + 1 < ids.length; i++) best = Math.min(best, idOf(ids, i, newIds));
  return best;
}

// Every pair that becomes `id`, from the left.
function join(ids, newIds, id) {
  const merged = [];
  for (let i = 0; i < ids.length; i++) {
    const isPair = i + 1 < ids.length && idOf(ids, i, newIds) === id;
    merged.push(isPair ? id : ids[i]);
    if (isPair) i++;
  }
  return merged;
}
