//! Who devices are: the CA of this backend, the certificates it issues, and TLS with them.

pub mod authority;
pub mod tls;

pub mod live;
