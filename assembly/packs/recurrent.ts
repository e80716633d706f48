// What only networks with recurrent layers reach.
export { ABI } from "../gen/abi-recurrent";
export { RELAXED } from "../lib/simd";

export { recurrent_f32 } from "../kernels/recurrent"; // a step of LSTM, GRU or RNN: the state's product with packed weights, gates, the new state
