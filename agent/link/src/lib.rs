//! What stands between an agent core and its backend: who the device is, how it enrols and renews, and
//! TLS with that identity. The agent and the simulated fleet use the same code.
