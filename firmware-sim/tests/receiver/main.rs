//! The real binary against a real pseudo-terminal: what a vehicle agent would meet.

mod identity;
mod support;

mod playing;

mod agent;
mod levers;

mod refusals;
