// Descriptors of kernels for sound. What a descriptor is: conv.ts.

/** Spectra of frames of a real signal: see kernels/spectrum.ts. One work item is four frames of a signal. */
@unmanaged export class SpectrumDesc {
  xPtr: usize; // [batch][samples]
  yPtr: usize;
  windowPtr: usize; // one float a sample of a frame
  twiddlesPtr: usize; // cos, sin of 2πk/n for k < n
  binsPtr: usize; // SPECTRUM_BIN_BYTES each, drawn in kernels/spectrum.ts
  bins: i32;
  log: i32; // log2 n, at least 2
  isPower: i32; // a bin's number is re² + im²
  frames: i32; // of one signal
  hopBytes: i32; // from frame to frame
  xBatchBytes: i32;
  yBatchBytes: i32;
  yFrameBytes: i32; // from frame to frame; 4: the frames of a number lie together
}
