//! Names to addresses, of which only those are given that the guard lets through. What is given is what is
//! connected to: a name that changes its mind between the check and the connection gains nothing.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::{Forbidden, Guard, Scheme};

/// Addresses of a name that are looked at, and of which one is connected to. A peer's has a few; one with
/// more is refused, since nobody tries that many.
pub const ADDRESSES_MAX: usize = 32;

/// Asks the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // Port 0 stands for the URL's.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Asks another resolver, and gives what it says only if every address may be sent to.
pub struct GuardedResolver {
    inner: Arc<dyn Resolve>,
    guard: Guard,
    scheme: Scheme,
}

impl GuardedResolver {
    /// A resolver for URLs of a scheme.
    pub fn new(inner: Arc<dyn Resolve>, guard: Guard, scheme: Scheme) -> Self {
        Self { inner, guard, scheme }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let found = self.inner.resolve(name);
        let (guard, scheme) = (self.guard.clone(), self.scheme);
        Box::pin(async move {
            let found: Vec<SocketAddr> = found.await?.take(ADDRESSES_MAX + 1).collect();
            guard.check_all(&found, scheme)?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

impl Guard {
    /// Whether every address of a name may be sent to. One that may not is enough to refuse them all:
    /// which of them is connected to is not ours to say.
    fn check_all(&self, found: &[SocketAddr], scheme: Scheme) -> Result<(), Forbidden> {
        match found.len() {
            0 => Err(Forbidden::NoAddress),
            1..=ADDRESSES_MAX => {
                found.iter().try_for_each(|address| self.check_address(address.ip(), scheme))
            }
            _ => Err(Forbidden::TooManyAddresses),
        }
    }
}
