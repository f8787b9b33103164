//! What a lock protects in a run: one register that compares fences, and one beside it that takes everything.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

#[derive(Default)]
struct Register {
    value: u64,
    floor: u64,
}

/// The registers of all resources, of one kind.
#[derive(Default)]
pub struct Registers {
    registers: Mutex<HashMap<String, Register>>,
    fenced: bool,
}

impl Registers {
    /// Registers that keep the largest floor which they have seen and refuse a fence below it, or that take everything.
    pub fn new(fenced: bool) -> Self {
        Self { registers: Mutex::default(), fenced }
    }

    /// Whether they compare fences.
    pub fn fenced(&self) -> bool {
        self.fenced
    }

    /// Reads under a fence; `None` if the register refuses the fence. The register remembers the floor of a read too:
    /// otherwise a client with an older fence, which read before and writes after, would lose an update.
    pub fn read(&self, resource: &str, (fence, floor): (u64, u64)) -> Option<u64> {
        self.with(resource, fence, floor, |register| register.value)
    }

    /// Writes under a fence; whether it was accepted.
    pub fn write(&self, resource: &str, (fence, floor): (u64, u64), value: u64) -> bool {
        self.with(resource, fence, floor, |register| register.value = value).is_some()
    }

    fn with<R>(&self, resource: &str, fence: u64, floor: u64, act: impl FnOnce(&mut Register) -> R) -> Option<R> {
        let mut registers = self.registers.lock().unwrap_or_else(PoisonError::into_inner);
        let register = registers.entry(resource.into()).or_default();
        if self.fenced && fence < register.floor {
            return None;
        }
        register.floor = register.floor.max(floor);
        Some(act(register))
    }
}
