//! The CPU time that threads of this process have had: it tells what a command costs where others use the machine, too.

/// In nanoseconds, until now. Only where the system tells it: on Linux.
#[derive(Clone, Copy, Default)]
pub(crate) struct Cpu {
    /// Of the writers of all engines.
    pub(crate) writers: u64,
    /// Of all threads, those that have ended included, by hundredths of a second.
    pub(crate) all: u64,
}

impl Cpu {
    pub(crate) fn now() -> Cpu {
        Cpu { writers: writers().unwrap_or(0), all: all().unwrap_or(0) }
    }

    /// What was had since then.
    pub(crate) fn since(self, earlier: Cpu) -> Cpu {
        Cpu {
            writers: self.writers.saturating_sub(earlier.writers),
            all: self.all.saturating_sub(earlier.all),
        }
    }

    /// Waits until nothing works in the background any more, half a minute at most.
    pub(crate) fn wait_for_calm() {
        for _ in 0..120 {
            let before = Cpu::now();
            std::thread::sleep(std::time::Duration::from_millis(250));
            if Cpu::now().since(before).all < 20_000_000 {
                return;
            }
        }
    }
}

fn writers() -> Option<u64> {
    let mut nanos = 0;
    for task in std::fs::read_dir("/proc/self/task").ok()? {
        let task = task.ok()?.path();
        // It may have ended in the meantime.
        let Ok(name) = std::fs::read_to_string(task.join("comm")) else { continue };
        // The system cuts names off after fifteen characters.
        if !"tallybook-writer".starts_with(name.trim_end()) {
            continue;
        }
        let statistics = std::fs::read_to_string(task.join("schedstat")).ok()?;
        nanos += statistics.split(' ').next()?.parse::<u64>().ok()?;
    }
    Some(nanos)
}

fn all() -> Option<u64> {
    let statistics = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field, a name in parentheses, may hold anything.
    let (_, fields) = statistics.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map(|ticks| ticks.parse::<u64>().ok());
    Some((times.next()?? + times.next()??) * 10_000_000)
}
