// The GPT of lmcourse.gpt, read token by token with a cache of keys and values. `config` is what
// GPTConfig holds, `tensors` the weights under the names that they have in Python.

import { add, applyRotary, attend, gelu, geluTanh, layerNorm, linear, rmsNorm, silu } from "./layers.js";

const NORMS = { layer: layerNorm, rms: rmsNorm };
const ACTIVATIONS = { gelu, gelu_tanh: geluTanh, swiglu: silu };

export class GPT {
  constructor(config, tensors) {
    for (const [name, known] of [["norm", NORMS], ["feed_forward", ACTIVATIONS], ["positions", { learned: 0, rotary: 0 }]]) {
      if (!(config[name] in known)) throw new Error(`${name} must be one of ${Object.keys(known)}, got ${config[name]}`);
    }
    const layer = (name) => ({ weight: find(tensors, `${name}.weight`), bias: tensors[`${name}.bias`]?.data });
    this.config = config;
    // Files of before these two could be chosen do not hold them.
    const { norm_eps = 1e-5, rope_theta = 10000 } = config;
    this.norm = (x, weights) => NORMS[config.norm](x, weights, norm_eps);
    this.theta = rope_theta;
    this.activation = ACTIVATIONS[config.feed_forward];
    this.embedding = find(tensors, "embedding");
    this.positions = config.positions === "learned" ? find(tensors, "positions.weight") : null;
    this.blocks = Array.from({ length: config.n_layers }, (_, i) => ({
      attentionNorm: layer(`blocks.${i}.attention_norm`),
      inputProjection: layer(`blocks.${i}.attention.input_projection`),
      outputProjection: layer(`blocks.${i}.attention.output_projection`),
      feedForwardNorm: layer(`blocks.${i}.feed_forward_norm`),
      upProjection: layer(`blocks.${i}.feed_forward.up_projection`),
      downProjection: layer(`blocks.${i}.feed_forward.down_projection`),
    }));
    this.lastNorm = layer("norm");
    this.head = config.tied_head ? { weight: this.embedding } : layer("head");
    this.restart();
  }

  get isFull() {
    return this.length === this.config.context_length;
  }

  // Forgets what was read. The cache has room for the keys and values of every position.
  restart() {
    const { context_length, d_model, n_heads, n_kv_heads } = this.config;
    this.kvWidth = ((n_kv_heads ?? n_heads) * d_model) / n_heads;
    this.length = 0;
    this.cache = this.blocks.map(() => ({
      keys: new Float32Array(context_length * this.kvWidth),
      values: new Float32Array(context_length * this.kvWidth),
    }));
  }

  // Reads one more token. What comes out tells what happened on the way: for the embedding and for
  // each block the residual stream after it, the weights of each head, and at the end the logits.
  read(id) {
    if (this.isFull) throw new Error(`the context of ${this.config.context_length} tokens is full`);
    const { d_model } = this.config;
    let x = this.embedding.slice(id * d_model, (id + 1) * d_model);
    if (this.positions) x = add(x, this.positions.subarray(this.length * d_model));
    const streams = [x];
    const attention = [];
    this.blocks.forEach((block, i) => {
      const { mixed, weights } = this.attention(this.norm(x, block.attentionNorm), block, this.cache[i]);
      x = add(x, linear(mixed, block.outputProjection));
      x = add(x, this.feedForward(this.norm(x, block.feedForwardNorm), block));
      attention.push(weights);
      streams.push(x);
    });
    this.length += 1;
    return { streams, attention, logits: this.lens(x) };
  }

  // The logits that a residual stream gives: after the last block those of the model, before it
  // what the model would say if the other blocks did nothing (the logit lens).
  lens(stream) {
    return linear(this.norm(stream, this.lastNorm), this.head);
  }

  attention(x, block, cache) {
    const { d_model, n_heads } = this.config;
    const [width, dHead, position] = [this.kvWidth, d_model / n_heads, this.length];
    const projected = linear(x, block.inputProjection);
    const query = projected.subarray(0, d_model);
    const key = projected.subarray(d_model, d_model + width);
    if (!this.positions) {
      applyRotary(query, n_heads, position, this.theta);
      applyRotary(key, width / dHead, position, this.theta);
    }
    cache.keys.set(key, position * width);
    cache.values.set(projected.subarray(d_model + width), position * width);
    const mixed = new Float32Array(d_model);
    const weights = [];
    for (let head = 0, at = 0; head < n_heads; head++, at += dHead) {
      const shared = Math.floor((head * width) / d_model) * dHead; // a group of heads has one key
      const [own, out] = [query.subarray(at, at + dHead), mixed.subarray(at, at + dHead)];
      weights.push(attend(own, cache.keys, cache.values, position + 1, width, shared, out));
    }
    return { mixed, weights };
  }

  feedForward(x, block) {
    let hidden = linear(x, block.upProjection);
    if (this.config.feed_forward === "swiglu") {
      const half = hidden.length / 2;
      hidden = hidden.subarray(0, half).map((gate, i) => this.activation(gate) * hidden[half + i]);
    } else {
      hidden = hidden.map(this.activation);
    }
    return linear(hidden, block.downProjection);
  }
}

function find(tensors, name) {
  if (!(name in tensors)) throw new Error(`the file of weights must hold ${name}`);
  return tensors[name].data;
}

// A text that a model reads, longer than its context if need be. When the context is full the model
// begins anew with the last `kept` tokens, and the others are forgotten.
export class Reading {
  constructor(model, kept = Math.floor(model.config.context_length / 2)) {
    this.model = model;
    this.kept = kept;
    this.ids = [];
    this.steps = []; // what `read` told of each token; null where it is forgotten
    model.restart();
  }

  get logits() {
    return this.steps.at(-1).logits;
  }

  append(id) {
    if (this.model.isFull) {
      this.model.restart();
      this.steps.fill(null);
      const start = this.ids.length - this.kept;
      for (let i = start; i < this.ids.length; i++) this.steps[i] = this.model.read(this.ids[i]);
    }
    this.ids.push(id);
    this.steps.push(this.model.read(id));
  }
}
