//! What changes seldom: which fields are there, how the fix was arrived at, why it was refused.

use super::range::{Chance, Coder};

/// Chances of the bits of a symbol's tree, for symbols of five bits at most.
const NODES: usize = 32;
/// Weight of what is expected, in bits seen, and the bits after which a chance learns no slower.
const WEIGHT: u32 = 4;
const SETTLED: u32 = 24;

/// Codes one kind of symbol: mostly it is the one before.
#[derive(Debug, Clone)]
pub(super) struct Symbol {
    last: u32,
    /// Whether it changes, by whether it changed the last time.
    changes: [Chance; 2],
    changed: bool,
    bits: u32,
    tree: [Chance; NODES],
}

impl Symbol {
    /// Expects `first`; symbols have so many bits, and the small ones are likely.
    pub(super) fn new(bits: u32, first: u32) -> Self {
        let node = |node: usize| {
            // The upper two of five bits are there for symbols to come.
            let set = if bits == 5 && node < 4 { 1 } else { 16 };
            Chance::expect(set, 32, WEIGHT, SETTLED)
        };
        Self {
            last: first,
            changes: [(1, 64), (1, 3)].map(|(of, all)| Chance::expect(of, all, WEIGHT, SETTLED)),
            changed: false,
            bits,
            tree: core::array::from_fn(node),
        }
    }

    /// Codes a symbol.
    pub(super) fn code(&mut self, coder: &mut impl Coder, symbol: u32) -> u32 {
        let chance = &mut self.changes[usize::from(self.changed)];
        self.changed = coder.bit(chance, symbol != self.last);
        if self.changed {
            // The node of the tree is the bits so far, with a 1 before them.
            let mut node = 1;
            for place in (0..self.bits).rev() {
                let chance = &mut self.tree[node as usize];
                node = node << 1 | u32::from(coder.bit(chance, symbol >> place & 1 == 1));
            }
            self.last = node - (1 << self.bits);
        }
        self.last
    }
}
