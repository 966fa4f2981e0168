//! What a request and an answer cost.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot run should say so at once"
)]

#[path = "../tests/server/mod.rs"]
mod server;

use divan::{Bencher, black_box};
use server::{ACCEPT, Server, attribute};
use vestibule_radius::{
    AccessRequest, Authenticator, CallingStationId, ChapSeed, Credential, NasIdentifier, Password,
    SharedSecret, UserName, verify,
};

fn main() {
    divan::main();
}

const SECRET: &[u8] = b"a secret of 24 octets...";
const ASKED: [u8; 16] = *b"0123456789abcdef";

fn secret() -> SharedSecret {
    SharedSecret::new(SECRET).expect("it is not empty")
}

fn request(is_chap: bool) -> AccessRequest {
    let password = Password::from_text("correct horse battery").expect("it is short");
    AccessRequest {
        user_name: UserName::new("alice@example.org").expect("it is a name"),
        credential: if is_chap {
            Credential::Chap(password)
        } else {
            Credential::Pap(password)
        },
        state: None,
        nas_identifier: NasIdentifier::new("vestibule").expect("it is a name"),
        nas_ip: None,
        calling_station_id: CallingStationId::new("192.0.2.1").ok(),
    }
}

#[divan::bench(args = [false, true])]
fn encode(bencher: Bencher<'_, '_>, is_chap: bool) {
    let (request, secret) = (request(is_chap), secret());
    let authenticator = Authenticator::from_random(ASKED);
    let seed = ChapSeed::from_random([7; 17]);
    bencher.bench(|| black_box(&request).encode(7, &authenticator, &seed, &secret));
}

fn answer(octets: usize) -> Vec<u8> {
    let server = Server {
        secret: SECRET,
        asked: ASKED,
        identifier: 7,
    };
    server.signed(ACCEPT, &attribute(26, &[0; 98]).repeat(octets / 100))
}

#[divan::bench(args = [0, 200, 4000])]
fn verify_true(bencher: Bencher<'_, '_>, octets: usize) {
    let (datagram, secret) = (answer(octets), secret());
    let pending = |_| Some(Authenticator::from_random(ASKED));
    bencher.bench(|| verify(black_box(&datagram), pending, &secret, true));
}

#[divan::bench(args = [0, 200, 4000])]
fn verify_forged(bencher: Bencher<'_, '_>, octets: usize) {
    let (mut datagram, secret) = (answer(octets), secret());
    datagram[4] ^= 1;
    let pending = |_| Some(Authenticator::from_random(ASKED));
    bencher.bench(|| verify(black_box(&datagram), pending, &secret, true));
}
