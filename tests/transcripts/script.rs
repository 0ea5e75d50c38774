//! The lines of a script, played on a simulated cluster.

use std::time::Duration;

use dsms::protocol::id::{NodeId, ReplicaId, SequenceNumber};
use dsms::protocol::quorum::Tolerance;
use dsms::simulation::World;
use dsms::simulation::fault::FaultKind;
use dsms::simulation::next_module::NextModule;

/// The numbers of a script's barriers begin after this, those of its requests at 1.
const BARRIER_NUMBERS: u64 = 1000;

/// A cluster on which a script is played, and what the client has asked for so far.
pub struct Script {
    world: World,
    requests: Vec<String>,
    barriers_len: u64,
}

impl Script {
    /// A cluster in the mode that the first word names; with `spares`, each replica has one, with `front-ends`, there are two.
    pub fn new(words: &str) -> Script {
        let (mode, others) = words.split_once(' ').unwrap_or((words, ""));
        let (front_ends, spares) = match others {
            "" => (1, 0),
            "spares" => (1, 1),
            "front-ends" => (2, 0),
            other => panic!("{words}: expected spares or front-ends, found {other}"),
        };
        let (_, tolerance) = *Tolerance::NAMED.iter().find(|(name, _)| *name == mode).expect("a named mode");
        let world =
            World::scripted(tolerance, front_ends, spares).expect("nothing has happened yet that could break a law");
        Script { world, requests: Vec::new(), barriers_len: 0 }
    }

    /// What has happened since this was last asked.
    pub fn take_transcript(&mut self) -> Vec<String> {
        self.world.take_lines()
    }

    /// Plays one line. A transcript that breaks a law is no transcript.
    pub fn play(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let node = |name: &str| name.parse::<NodeId>().unwrap_or_else(|error| panic!("{line}: {error}"));
        let replica =
            |name: &str| -> ReplicaId { node(name).replica().unwrap_or_else(|| panic!("{line}: no replica")) };
        let number = |text: &str| text.parse::<u64>().unwrap_or_else(|error| panic!("{line}: {error}"));
        let world = &mut self.world;
        let held = match words.as_slice() {
            ["client", request @ ..] => {
                self.requests.push(request.join(" "));
                world.send_request(self.requests.len() as u64, &request.join(" "))
            }
            ["retry", at] => world.send_request(number(at), &self.requests[number(at) as usize - 1]),
            ["barrier"] => {
                self.barriers_len += 1;
                world.send_barrier(BARRIER_NUMBERS + self.barriers_len)
            }
            ["settle"] => world.settle(),
            ["pass", ms] => world.pass(Duration::from_millis(number(ms))),
            ["restart", name] => world.restart(node(name)),
            ["reboot", "all"] => world.restart_with_disks(&world.nodes()),
            ["reboot", names @ ..] => {
                world.restart_with_disks(&names.iter().map(|name| node(name)).collect::<Vec<_>>())
            }
            ["drop", from, "->", to] => {
                world.drop_next(node(from), node(to));
                Ok(())
            }
            ["cut", name] => {
                world.cut(node(name));
                Ok(())
            }
            ["heal", name] => {
                world.heal(node(name));
                Ok(())
            }
            ["trap", name, place] => {
                world.trap_at(replica(name), SequenceNumber(number(place)));
                Ok(())
            }
            ["swap", name, module, shadow_len] => {
                let module = NextModule::named(module).unwrap_or_else(|| panic!("{line}: no module"));
                world.swap(replica(name), module, number(shadow_len))
            }
            [kind, name, rest @ ..] => {
                let outcomes = rest.first().map_or(1, |len| number(len));
                let kind = match *kind {
                    "wrong" => FaultKind::Wrong { outcomes, per_mille: 1000 },
                    "trap" => FaultKind::Trap,
                    "corrupt" => FaultKind::CorruptState,
                    "garble" => FaultKind::WrongSnapshot,
                    _ => panic!("not a line of script: {line}"),
                };
                world.arm(replica(name), kind);
                Ok(())
            }
            _ => panic!("not a line of script: {line}"),
        };
        held.unwrap_or_else(|broken| panic!("{line}: {broken}"));
    }
}
