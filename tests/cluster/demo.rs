//! The demonstration: a whole story, with a verdict.

use crate::harness::dsms;

#[test]
fn the_demo_keeps_every_promise_and_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let output = dsms(directory.path()).args(["demo", "--seed", "3"]).env("TMPDIR", directory.path()).output().unwrap();
    let story = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{story}\n{}", String::from_utf8_lossy(&output.stderr));
    for line in ["4: 4 struck, 4 found, 4 repaired", "false alarms  0", "every promise was kept"] {
        assert!(story.contains(line), "{line} is not in:\n{story}");
    }
    assert_eq!(directory.path().read_dir().unwrap().count(), 0);
}
