//! The gate, the odometer and the sampler against made-up and recorded drives.

mod tracks;

mod gate;
mod sampler;
