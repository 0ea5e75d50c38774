//! Files that are not as they were written.

use super::*;

/// Some records in one small file, and where each of their frames ends.
fn small() -> (Bench, Vec<Record>, Vec<usize>) {
    let bench = Bench::new();
    let records = vec![Record::Life(Incarnation(3)), order(1), order(2), Record::Void(SequenceNumber(2))];
    bench.write(&records);
    let mut ends = vec![segment::HEADER_LEN];
    let mut bytes = Vec::new();
    for record in &records {
        frame::encode(record, &mut bytes);
        ends.push(segment::HEADER_LEN + bytes.len());
    }
    (bench, records, ends)
}

/// Puts these bytes where the first file was, opens, and checks that so many records are used, what is told, and that all is well after.
#[track_caller]
fn check(bench: &Bench, bytes: &[u8], records: &[Record], told: &[&str]) {
    for name in bench.names() {
        fs::remove_file(bench.path(&name)).unwrap();
    }
    fs::write(bench.path("00000001.log"), bytes).unwrap();
    let (mut storage, opened) = bench.try_open().unwrap();
    assert_eq!(summary(&opened.recovered), summary(&amount(records)));
    let sentence = opened.damage.join("; ");
    assert!(told.iter().all(|words| sentence.contains(words)), "{told:?} in {sentence:?}");
    assert_eq!(told.is_empty(), opened.damage.is_empty(), "{sentence}");
    let next = opened.recovered.log.end().0 + 1;
    storage.append(&order(next));
    storage.commit().unwrap();
    drop(storage);
    let again = reading::read(&bench.directory(), owner()).unwrap();
    assert_eq!(again.recovered.log.end().0, next, "it is written on after what is whole");
    assert!(again.damage.is_none() && again.remarks.is_empty(), "what is damaged is read once");
    if !told.is_empty() {
        let aside: usize = bench.names().iter().filter(|name| set_aside::is_name(name)).count();
        assert_eq!(aside, 1, "{:?}", bench.names());
    }
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_used_up_to_its_last_whole_record() {
    let (bench, records, ends) = small();
    let bytes = fs::read(bench.path("00000001.log")).unwrap();
    assert_eq!(bytes.len(), *ends.last().unwrap());
    for len in 0..=bytes.len() {
        let whole_len = ends.iter().rposition(|end| *end <= len).unwrap_or(0);
        let at = if len < segment::HEADER_LEN { 0 } else { ends[whole_len] };
        let place = format!("00000001.log, byte {at}: it is cut off");
        let told: &[&str] = if ends.contains(&len) { &[] } else { &[&place, "set aside"] };
        check(&bench, &bytes[..len], &records[..whole_len], told);
    }
}

#[test]
fn every_flipped_bit_is_told_with_its_file_and_place_and_nothing_after_it_is_used() {
    let (bench, records, ends) = small();
    let bytes = fs::read(bench.path("00000001.log")).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let whole_len = ends.iter().rposition(|end| *end <= bit / 8);
        let place = format!("00000001.log, byte {}: ", whole_len.map_or(0, |len| ends[len]));
        check(&bench, &flipped, &records[..whole_len.unwrap_or(0)], &[&place]);
    }
}

#[test]
fn what_is_damaged_is_kept_under_a_name_of_its_own() {
    let (bench, _, ends) = small();
    let path = bench.path("00000001.log");
    for round in 0..3 {
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend_from_slice(&[0xAB, round]);
        fs::write(&path, &bytes).unwrap();
        let (_, opened) = bench.try_open().unwrap();
        assert_eq!(opened.damage.len(), 1);
    }
    let aside = ["00000001.log.damaged", "00000001.log.damaged-2", "00000001.log.damaged-3"];
    assert_eq!(bench.names()[1..], aside);
    for (round, name) in aside.iter().enumerate() {
        assert_eq!(fs::read(bench.path(name)).unwrap(), [0xAB, round as u8]);
    }
    assert_eq!(fs::metadata(&path).unwrap().len() as usize, *ends.last().unwrap());
}

#[test]
fn files_of_others_are_told_and_left_alone_unless_they_have_a_name_of_ours() {
    let (bench, records, _) = small();
    fs::write(bench.path("notes.txt"), "mine").unwrap();
    fs::write(bench.path("00000002.log"), "a log of something else").unwrap();
    let (_, opened) = bench.try_open().unwrap();
    assert_eq!(summary(&opened.recovered), summary(&amount(&records)));
    assert!(opened.damage[0].contains("notes.txt does not belong here"), "{:?}", opened.damage);
    assert!(opened.damage[1].contains("00000002.log, byte 0: this is no file of dsms"), "{:?}", opened.damage);
    assert_eq!(bench.names(), ["00000001.log", "00000002.log.damaged", "notes.txt"]);
}

#[test]
fn after_a_file_that_is_missing_nothing_is_used() {
    let bench = Bench::new();
    bench.write(&[order(1), order(2), order(3), checkpoint(1), order(4), checkpoint(2), order(5)]);
    assert_eq!(bench.names(), ["00000001.log", "00000002.log", "00000003.log"]);
    fs::remove_file(bench.path("00000002.log")).unwrap();
    let (_, opened) = bench.try_open().unwrap();
    assert_eq!(opened.recovered.log.end(), SequenceNumber(3));
    assert!(opened.damage[0].contains("00000002.log, which it follows, is missing"), "{:?}", opened.damage);
    assert_eq!(bench.names(), ["00000001.log", "00000003.log.damaged"]);
}

#[test]
fn what_follows_damage_is_set_aside_with_it() {
    let bench = Bench::new();
    bench.write(&[order(1), order(2), checkpoint(1), order(3), checkpoint(2), order(4)]);
    let path = bench.path("00000001.log");
    let len = fs::metadata(&path).unwrap().len();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(len - 1).unwrap();
    let (_, opened) = bench.try_open().unwrap();
    assert_eq!(opened.recovered.log.end(), SequenceNumber(1));
    assert_eq!(opened.damage.len(), 3, "{:?}", opened.damage);
    let aside = ["00000001.log", "00000001.log.damaged", "00000002.log.damaged", "00000003.log.damaged"];
    assert_eq!(bench.names(), aside);
    drop(opened);
    bench.write(&[order(2)]);
    assert_eq!(bench.open().1.log.end(), SequenceNumber(2));
}

#[test]
fn a_first_file_that_is_missing_is_told() {
    let bench = Bench::new();
    bench.write(&[order(1), order(2), order(3), checkpoint(1), order(4)]);
    fs::remove_file(bench.path("00000001.log")).unwrap();
    let (_, opened) = bench.try_open().unwrap();
    assert_eq!((opened.recovered.log.start().0, opened.recovered.log.end().0), (3, 4));
    assert!(opened.damage[0].contains("the orders after #0 up to #3 are missing"), "{:?}", opened.damage);
    bench.write(&[order(5), checkpoint(4), begin(3), order(6), checkpoint(5), begin(4), begin(2), order(3)]);
    let recovered = bench.open().1;
    assert_eq!((recovered.log.start().0, recovered.log.end().0), (2, 3), "where it begins is written from then on");
}

/// A header of a later version, whose first bytes still mean the same.
fn of_version(version: u8) -> Vec<u8> {
    let mut bytes = b"dsms log".to_vec();
    bytes.push(version);
    let checksum = *blake3::hash(&bytes).as_bytes().first_chunk::<4>().unwrap();
    bytes.extend_from_slice(&checksum);
    bytes.extend_from_slice(b"whatever it will be");
    bytes
}

#[test]
fn files_of_the_version_before_are_read_and_written_on() {
    let bench = Bench::new();
    bench.write(&[order(1), checkpoint(1)]);
    for name in ["00000001.log", "00000002.log"] {
        let mut bytes = fs::read(bench.path(name)).unwrap();
        bytes[..13].copy_from_slice(&of_version(1)[..13]);
        let checked = segment::HEADER_LEN - 8;
        let checksum = *blake3::hash(&bytes[..checked]).as_bytes().first_chunk::<8>().unwrap();
        bytes[checked..checked + 8].copy_from_slice(&checksum);
        fs::write(bench.path(name), bytes).unwrap();
    }
    bench.write(&[order(2), tentative(2)]);
    assert_eq!(summary(&bench.open().1), summary(&amount(&[order(1), checkpoint(1), order(2), tentative(2)])));
    let version_of = |number| fs::read(bench.path(&segment::file_name(number))).unwrap()[8];
    assert_eq!([1, 2, 3].map(version_of), [1, 1, 2]);
}

#[test]
fn files_of_a_later_version_of_another_cluster_or_replica_are_left_as_they_are() {
    let (bench, _, _) = small();
    let refused = |owner: Owner, words: &[&str]| {
        let files: Vec<_> = bench.names().iter().map(|name| fs::read(bench.path(name)).unwrap()).collect();
        let error = FileStorage::open(&bench.directory(), owner, Durability::Os).unwrap_err().to_string();
        assert!(words.iter().all(|words| error.contains(words)), "{words:?} in {error:?}");
        let after: Vec<_> = bench.names().iter().map(|name| fs::read(bench.path(name)).unwrap()).collect();
        assert_eq!(after, files);
    };
    let others = Owner { cluster: ClusterId([8; 16]), ..owner() };
    refused(others, &["00000001.log", "another cluster", "--data"]);
    refused(Owner { replica: ReplicaId::new(1).unwrap(), ..owner() }, &["belongs to replica-2"]);
    // The first file is damaged, and even so nothing is set aside.
    fs::write(bench.path("00000001.log"), "damaged").unwrap();
    fs::write(bench.path("00000002.log"), of_version(3)).unwrap();
    refused(owner(), &["00000002.log", "later version of dsms (format 3, this one knows 2)"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_the_files_are_something_is_begun_with(
        files in prop::collection::vec((1..6u64, 0..400usize, prop::collection::vec(any::<u8>(), 0..40)), 1..4),
    ) {
        let bench = Bench::new();
        bench.write(&life_of(4, 5));
        for (number, at, bytes) in files {
            let path = bench.path(&segment::file_name(number));
            let mut whole = fs::read(&path).unwrap_or_default();
            let at = at.min(whole.len());
            whole.splice(at..(at + bytes.len()).min(whole.len()), bytes);
            fs::write(&path, whole).unwrap();
        }
        let (mut storage, opened) = bench.try_open().unwrap();
        let next = opened.recovered.log.end().0 + 1;
        storage.append(&order(next));
        storage.commit().unwrap();
        drop(storage);
        prop_assert_eq!(bench.open().1.log.end().0, next);
    }
}
