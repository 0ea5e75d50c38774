//! A directory on a real disk, verified from outside; what is broken in it is named.

use super::*;

/// A ledger of three files in a directory; its last place.
fn write_directory(path: &Path) -> u64 {
    let directory = Directory::hold(path, Durability::Os).unwrap();
    let (mut ledger, _) = LedgerFiles::open(directory, OWNER, 4 * SEGMENT_LEN_MIN).unwrap();
    let last = fill_three_files(&mut ledger);
    ledger.sync().unwrap();
    last
}

#[test]
fn a_directory_verifies_whether_it_is_in_use_or_not() {
    let scratch = tempfile::tempdir().unwrap();
    let last = write_directory(scratch.path());
    let verified = verify(scratch.path(), None).unwrap();
    assert_eq!((verified.broken, verified.remarks.len(), verified.owner), (None, 0, Some(OWNER)));
    let segments = &verified.segments;
    assert_eq!((segments.len(), segments[0].first, segments[2].last), (3, 1, last));
    assert_eq!(segments.iter().map(|segment| segment.entries_len).sum::<u64>(), last);
    let in_use = Directory::hold(scratch.path(), Durability::Os).unwrap();
    let held = Directory::hold(scratch.path(), Durability::Os).unwrap_err();
    assert!(held.is_held());
    let mut entries_len = 0;
    read_entries(scratch.path(), |_| entries_len += 1).unwrap();
    assert_eq!(entries_len, last);
    // A link that somebody has noted is still there, whatever was written since.
    let noted = segments[1].link;
    let (mut ledger, _) = LedgerFiles::open(in_use, OWNER, SIZE_BYTES_MAX).unwrap();
    ledger.write(&records(last + 1..=last + 1), NOW);
    assert!(verify(scratch.path(), Some(noted)).unwrap().has_earlier_link);
    assert!(!verify(scratch.path(), Some(Link::START)).unwrap().has_earlier_link);
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(verify(empty.path(), None).unwrap().owner, None);
    assert!(verify(&empty.path().join("nowhere"), None).is_err());
}

#[test]
fn verifying_names_the_first_broken_place() {
    let scratch = tempfile::tempdir().unwrap();
    write_directory(scratch.path());
    let file = |number: u64| scratch.path().join(KIND.file_name(number));
    let broken = || {
        let broken = verify(scratch.path(), None).unwrap().broken.expect("something is wrong");
        (broken.file, broken.at, broken.words)
    };
    let second = fs::read(file(2)).unwrap();
    let altered = |at: usize| {
        let mut bytes = second.clone();
        bytes[at] ^= 1;
        fs::write(file(2), bytes).unwrap();
        let (named, at, words) = broken();
        assert_eq!(named, file(2).display().to_string(), "{words}");
        at
    };
    let in_entries = altered(second.len() / 2);
    assert!((second.len() as u64 / 2 - 200..=second.len() as u64 / 2).contains(&in_entries), "{in_entries}");
    assert_eq!(altered(40), 0);
    // A file before the last one has to be whole.
    fs::write(file(2), &second[..second.len() - 5]).unwrap();
    assert!(broken().2.contains("cut off"));
    // Whole entries that were taken from its end show at the next file.
    let frames = chain::Frames::after_header(&second, HEADER_LEN, Link::of_header(&second[..HEADER_LEN]));
    let entries: Vec<&[u8]> = frames.map(Result::unwrap).collect();
    let last_len = entries.last().unwrap().len() + 32 + crate::storage::frame::HEADER_LEN;
    fs::write(file(2), &second[..second.len() - last_len]).unwrap();
    let (named, at, words) = broken();
    assert_eq!((named, at), (file(3).display().to_string(), 0));
    assert!(words.contains("00000002.ledger, which it follows, ends elsewhere"), "{words}");
    fs::remove_file(file(2)).unwrap();
    assert_eq!(broken().2, "00000002.ledger, which it follows, is missing");
    // The oldest may be gone.
    fs::write(file(2), &second).unwrap();
    fs::remove_file(file(1)).unwrap();
    let verified = verify(scratch.path(), None).unwrap();
    assert_eq!((verified.broken, verified.segments.len()), (None, 2));
    // An end that is just being written is no break.
    let third = fs::read(file(3)).unwrap();
    fs::write(file(3), &third[..third.len() - 5]).unwrap();
    let verified = verify(scratch.path(), None).unwrap();
    assert!(verified.broken.is_none() && verified.remarks[0].contains("no whole entry"), "{verified:?}");
}

#[test]
fn entries_of_another_encoding_stay_in_the_chain() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join(KIND.file_name(1));
    {
        let directory = Directory::hold(scratch.path(), Durability::Os).unwrap();
        LedgerFiles::open(directory, OWNER, SIZE_BYTES_MAX).unwrap().0.write(&records(1..=1), NOW);
    }
    let mut bytes = fs::read(&path).unwrap();
    let mut frames = chain::Frames::after_header(&bytes, HEADER_LEN, Link::of_header(&bytes[..HEADER_LEN]));
    frames.by_ref().for_each(|entry| assert!(entry.is_ok()));
    let link = frames.link;
    link.append(&[99, 1, 2, 3], &mut bytes);
    fs::write(&path, &bytes).unwrap();
    let directory = Directory::hold(scratch.path(), Durability::Os).unwrap();
    let (mut ledger, opened) = LedgerFiles::open(directory, OWNER, SIZE_BYTES_MAX).unwrap();
    assert_eq!(opened.damage, [""; 0]);
    ledger.write(&records(2..=2), NOW);
    assert_eq!((recollected(&ledger, 1).is_some(), recollected(&ledger, 2).is_some()), (true, true));
    let verified = verify(scratch.path(), None).unwrap();
    assert_eq!((verified.broken, verified.segments[0].entries_len), (None, 3));
    assert!(verified.remarks[0].contains("1 entries are of another version"), "{:?}", verified.remarks);
}

#[test]
fn files_and_directory_are_for_their_owner_only() {
    use std::os::unix::fs::MetadataExt;
    let scratch = tempfile::tempdir().unwrap();
    let path = directory_of(NodeId::FRONT_END, scratch.path());
    assert_eq!(path, scratch.path().join("front-end"));
    write_directory(&path);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
    for entry in fs::read_dir(&path).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().mode() & 0o777, 0o600, "{:?}", entry.file_name());
    }
}
