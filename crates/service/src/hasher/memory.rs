//! argon2id in memory that is used again: to ask the system for it, or to fill it with zeros, would
//! take a fifth as long as to hash.

use argon2::password_hash::phc::{Output, PasswordHash as Phc, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use vestibule_engine::Secret;
use vestibule_store::PasswordHash;

use super::HasherError;

/// KiB of memory, passes and lanes: the first choice of OWASP for argon2id.
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);

/// What hashes are computed in. Each writes all that it reads.
#[derive(Default)]
pub(super) struct Memory(Vec<Block>);

impl Memory {
    /// A hash of a new password.
    pub(super) fn hash(
        &mut self,
        password: &Secret<String>,
        salt: &[u8],
    ) -> Result<PasswordHash, HasherError> {
        let (memory, passes, lanes) = COST;
        let params = Params::new(memory, passes, lanes, None).map_err(failed)?;
        let (algorithm, version) = (Algorithm::Argon2id, Version::V0x13);
        let phc = Phc {
            algorithm: algorithm.ident(),
            version: Some(version.into()),
            params: (&params).try_into().map_err(failed)?,
            salt: Some(Salt::new(salt).map_err(failed)?),
            hash: Some(self.output(&Argon2::new(algorithm, version, params), password, salt)?),
        };
        Ok(PasswordHash::new(phc.to_string()))
    }

    /// Whether a password is the one of a hash, whatever that cost.
    pub(super) fn verify(
        &mut self,
        password: &Secret<String>,
        known: &PasswordHash,
    ) -> Result<bool, HasherError> {
        let phc = Phc::new(known.expose()).map_err(failed)?;
        let algorithm = Algorithm::try_from(phc.algorithm.as_str()).map_err(failed)?;
        let version = phc.version.map(Version::try_from).transpose();
        let version = version.map_err(failed)?.unwrap_or_default();
        let params = Params::try_from(&phc).map_err(failed)?;
        let (Some(salt), Some(expected)) = (phc.salt, phc.hash) else {
            return Err(failed("there is no hash"));
        };
        let argon2 = Argon2::new(algorithm, version, params);
        // Outputs are compared in constant time.
        Ok(self.output(&argon2, password, &salt)? == expected)
    }

    fn output(
        &mut self,
        argon2: &Argon2<'_>,
        password: &Secret<String>,
        salt: &[u8],
    ) -> Result<Output, HasherError> {
        let blocks = self.blocks(argon2.params().block_count())?;
        let mut output = [0; Output::MAX_LENGTH];
        let length = argon2.params().output_len();
        let length = length.unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let output = output.get_mut(..length);
        let output = output.ok_or_else(|| failed("the hash is too long"))?;
        argon2
            .hash_password_into_with_memory(password.expose().as_bytes(), salt, output, blocks)
            .map_err(failed)?;
        Output::new(output).map_err(failed)
    }

    fn blocks(&mut self, count: usize) -> Result<&mut [Block], HasherError> {
        let missing = count.saturating_sub(self.0.len());
        self.0.try_reserve_exact(missing).map_err(failed)?;
        self.0.resize(self.0.len() + missing, Block::new());
        self.0.get_mut(..count).ok_or_else(|| failed("no memory"))
    }
}

fn failed(error: impl std::fmt::Display) -> HasherError {
    HasherError::Failed(error.to_string().into())
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

    use super::*;

    /// What was computed before leaves no trace in what is computed next.
    #[test]
    fn it_is_what_others_compute() {
        let mut memory = Memory::default();
        let passwords = ["one", "", "another", "one"].map(Secret::from);
        let mut hashes = Vec::new();
        for (salt, password) in (0_u8..).zip(&passwords) {
            let hash = memory.hash(password, &[salt; 16]).unwrap();
            let theirs =
                Argon2::default().verify_password(password.expose().as_bytes(), hash.expose());
            assert_eq!(theirs, Ok(()));
            hashes.push(hash);
        }
        for (n, hash) in hashes.iter().enumerate() {
            for (m, password) in passwords.iter().enumerate() {
                let is_same = passwords[n].expose() == passwords[m].expose();
                assert_eq!(memory.verify(password, hash).unwrap(), is_same);
            }
        }
    }

    /// A hash of other costs, longer and shorter than ours, of another kind or version.
    #[test]
    fn others_are_verified_as_they_were_made() {
        let mut memory = Memory::default();
        let password = Secret::from("right");
        for (algorithm, version, (m, t, p), length) in [
            (Algorithm::Argon2id, Version::V0x13, (8, 1, 1), 32),
            (Algorithm::Argon2id, Version::V0x13, (20 * 1024, 1, 2), 64),
            (Algorithm::Argon2i, Version::V0x10, (64, 3, 4), 16),
            (Algorithm::Argon2d, Version::V0x13, (16, 2, 1), 10),
        ] {
            let params = Params::new(m, t, p, Some(length)).unwrap();
            let theirs: Phc = Argon2::new(algorithm, version, params)
                .hash_password_with_salt(b"right", &[7; 16])
                .unwrap();
            let known = PasswordHash::new(theirs.to_string());
            assert!(memory.verify(&password, &known).unwrap(), "{theirs}");
            let wrong = memory.verify(&Secret::from("wrong"), &known);
            assert!(!wrong.unwrap(), "{theirs}");
        }
    }

    #[test]
    fn what_is_no_hash_is_a_fault() {
        let mut memory = Memory::default();
        for text in [
            "",
            "plain",
            "$argon2id$v=19$m=8,t=1,p=1",
            "$argon2id$v=19$m=8,t=1,p=1$MTIzNDU2Nzg",
            "$scrypt$ln=1,r=1,p=1$MTIzNDU2Nzg$MTIzNDU2Nzg5MDEyMzQ1Ng",
        ] {
            let known = PasswordHash::new(text.to_owned());
            let verified = memory.verify(&Secret::from("x"), &known);
            assert!(matches!(verified, Err(HasherError::Failed(_))), "{text}");
        }
    }
}
