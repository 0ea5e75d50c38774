//! Token keys and tokens as files.
//!
//! | File | What it is |
//! |---|---|
//! | `signing.key` | the secret half of the key that issues tokens now, for whoever issues them |
//! | `ID.pub` | the public half of each key there has been, for the `token_keys` of a front end, where several may stand in one file |
//!
//! A file of tokens has one on each line; a line that is empty or begins with `#` is none.

use std::path::{Path, PathBuf};

use crate::access::{PublicKey, SigningKey, Token, TokenKeys};
use crate::protocol::client_message::TokenText;

use super::private_file::{FileError, make_directory, read_private, read_public, remove, write_private, write_public};

/// The directory with the keys of tokens.
#[derive(Clone, Debug)]
pub struct TokenDirectory {
    path: PathBuf,
}

impl TokenDirectory {
    /// The directory at this path; it need not exist yet.
    pub fn at(path: &Path) -> TokenDirectory {
        TokenDirectory { path: path.to_owned() }
    }

    /// Where the secret half is.
    pub fn signing_key_file(&self) -> PathBuf {
        self.path.join("signing.key")
    }

    /// Where the public half of a key is.
    pub fn public_key_file(&self, key: PublicKey) -> PathBuf {
        self.path.join(format!("{}.pub", key.id()))
    }

    /// The key that issues tokens; `None` where none was drawn yet.
    pub fn signing_key(&self) -> Result<Option<SigningKey>, FileError> {
        let path = self.signing_key_file();
        if !path.exists() {
            return Ok(None);
        }
        let read = SigningKey::read(&read_private(&path)?);
        read.map(Some).map_err(|error| FileError::content(&path, error))
    }

    /// Draws a key and writes both halves. The one before it can issue nothing any more if it is to be `replaced`; otherwise it has to be
    /// none.
    pub fn draw(&self, replaced: bool) -> Result<SigningKey, FileError> {
        let path = self.signing_key_file();
        if path.exists() && !replaced {
            let advice = "issue tokens with it, or draw another in its place with: dsms token init --rotate".to_owned();
            return Err(FileError::Exists { path: path.display().to_string(), advice });
        }
        make_directory(&self.path)?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).expect("the system has random bytes");
        let key = SigningKey::from_seed(seed);
        write_public(&self.public_key_file(key.public()), &key.public().to_text())?;
        remove(&path)?;
        write_private(&path, &key.to_text())?;
        Ok(key)
    }
}

/// Reads the public keys that a front end accepts. A file may have several, one a line.
pub fn read_token_keys(paths: &[PathBuf]) -> Result<TokenKeys, FileError> {
    let mut keys = Vec::new();
    for path in paths {
        let text = read_public(path)?;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            keys.push(PublicKey::read(line).map_err(|error| FileError::content(path, error))?);
        }
    }
    Ok(keys.into_iter().collect())
}

/// Reads the tokens that a client shows. The file must be readable by its owner only, since whoever has a token may use it.
pub fn read_tokens(path: &Path) -> Result<Vec<TokenText>, FileError> {
    let text = read_private(path)?;
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    let tokens: Vec<TokenText> = lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| match Token::read(line) {
            Ok(_) => Ok(TokenText(line.to_owned())),
            Err(error) => Err(FileError::content(path, format!("line {number}: {error}"))),
        })
        .collect::<Result<_, _>>()?;
    if tokens.is_empty() {
        return Err(FileError::content(path, "there is no token in it; `dsms token issue` issues one"));
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::access::Subject;
    use crate::protocol::time::Instant;

    #[test]
    fn a_rotated_key_issues_for_those_who_list_it_and_the_old_one_is_gone() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = TokenDirectory::at(&scratch.path().join("tokens"));
        assert!(directory.signing_key().unwrap().is_none());
        let first = directory.draw(false).unwrap();
        assert_eq!(directory.signing_key().unwrap().unwrap().public(), first.public());
        assert!(directory.draw(false).unwrap_err().to_string().contains("--rotate"));
        let second = directory.draw(true).unwrap();
        assert_eq!(directory.signing_key().unwrap().unwrap().public(), second.public());

        let files = [first.public(), second.public()].map(|key| directory.public_key_file(key));
        let (of_first, of_second) = (first.issue(Subject::Operator, 10), second.issue(Subject::Operator, 10));
        let both = read_token_keys(&files).unwrap();
        assert!(both.verify(&of_first, Instant(0)).is_ok() && both.verify(&of_second, Instant(0)).is_ok());
        let rotated = read_token_keys(&files[1..]).unwrap();
        assert!(rotated.verify(&of_first, Instant(0)).is_err() && rotated.verify(&of_second, Instant(0)).is_ok());
        let together = scratch.path().join("together.pub");
        fs::write(&together, format!("{}\n{}", first.public().to_text(), second.public().to_text())).unwrap();
        let both = read_token_keys(&[together]).unwrap();
        assert!(both.verify(&of_first, Instant(0)).is_ok() && both.verify(&of_second, Instant(0)).is_ok());
        let secret = read_token_keys(&[directory.signing_key_file()]).unwrap_err().to_string();
        assert!(secret.contains("secret half"), "{secret}");
    }

    #[test]
    fn tokens_are_read_line_by_line_and_a_bad_line_is_named() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("tokens");
        let token = SigningKey::from_seed([1; 32]).issue(Subject::Operator, 10).to_text();
        write_private(&path, &format!("# of mine\n\n{token}\r\n{token}\n")).unwrap();
        assert_eq!(read_tokens(&path).unwrap(), [TokenText(token.clone()), TokenText(token.clone())]);
        fs::write(&path, format!("{token}\nhello\n")).unwrap();
        let refused = read_tokens(&path).unwrap_err().to_string();
        assert!(refused.contains("line 2: not a token"), "{refused}");
        fs::write(&path, "# none\n").unwrap();
        assert!(read_tokens(&path).unwrap_err().to_string().contains("no token"));
    }
}
