//! One fuzz target for all bodies of `tripline_tests::fuzz`; the environment says which.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tripline_tests::fuzz::BODIES;

static BODY: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let wanted = std::env::var("TRIPLINE_FUZZ_BODY").unwrap_or_default();
    let found = BODIES.iter().find(|(name, _)| *name == wanted);
    found.map(|(_, body)| *body).expect("TRIPLINE_FUZZ_BODY names one of the bodies")
});

fuzz_target!(|bytes: &[u8]| BODY(bytes));
