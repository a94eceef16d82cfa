// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <unordered_set>

#include "core/atomic_file.hpp"
#include "core/child.hpp"
#include "core/digest.hpp"
#include "core/signature.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"
#include "tests/support/throws.hpp"

using core::Sha256;
using tests::contains;
using tests::thrown_by;

TEST_CASE("SHA-256: vectors of FIPS 180-4, streaming, and the text form") {
  CHECK(core::sha256("abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(core::sha256("").text() == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  core::Sha256Hasher hasher;
  hasher.update("a");
  hasher.update("");
  hasher.update("bc");
  const Sha256 digest = hasher.finish();
  CHECK(digest == core::sha256("abc"));
  CHECK(Sha256::parse(digest.text()) == digest);
  CHECK(Sha256{} < digest);
  CHECK(std::unordered_set<Sha256>{digest, core::sha256("abc"), Sha256{}}.size() == 2);
  CHECK_THROWS_AS(hasher.update("x"), core::Error);
}

TEST_CASE("a digest has one text") {
  const std::string good = core::sha256("x").hex();
  for (const std::string& bad : {good, "sha256:" + good.substr(1), "sha256:" + good + "0", "SHA256:" + good,
                                 "sha256:" + std::string(64, 'A'), "sha256:" + std::string(64, 'g'), std::string()}) {
    CAPTURE(bad);
    CHECK(contains(thrown_by([&] { return Sha256::parse(bad, "src"); }), "src"));
  }
}

TEST_CASE("HMAC-SHA-256: vectors 1 and 2 of RFC 4231") {
  const core::Bytes key(20, std::byte{0x0b});
  CHECK(core::hmac_sha256(key, core::as_bytes("Hi There")).hex() ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(core::hmac_sha256(core::as_bytes("Jefe"), core::as_bytes("what do ya want for nothing?")).hex() ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(core::hmac_sha256({}, {}).hex() == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST_CASE("digest of a file") {
  const core::TempDir scratch("digest");
  core::write_file_atomically(scratch / "f", std::string(600000, 'x'));
  CHECK(core::hash_file(scratch / "f") == core::sha256(std::string(600000, 'x')));
  CHECK(contains(thrown_by([&] { return core::hash_file(scratch / "none"); }), "No such file"));
}

TEST_CASE("Ed25519: vector 2 of RFC 8032 section 7.1") {
  const core::Bytes secret = core::from_hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "t");
  // PKCS#8 of RFC 8410 section 7: a fixed head and the seed.
  core::Bytes der = core::from_hex("302e020100300506032b657004220420", "t");
  der.insert(der.end(), secret.begin(), secret.end());
  const core::TempDir scratch("key");
  core::write_file_atomically(scratch / "der", core::as_text(der));
  const std::string pem =
      core::run_child_checked({.argv = {"openssl", "pkey", "-inform", "DER", "-in", scratch / "der"}});
  const core::PrivateKey key = core::PrivateKey::from_pem(pem, "t");
  CHECK(core::to_hex(key.public_key().raw()) == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  CHECK(core::to_hex(key.sign("\x72")) ==
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
  CHECK(key.to_pem() == pem);
}

TEST_CASE("keys and signatures that openssl takes") {
  const core::TempDir scratch("key");
  const core::PrivateKey key = core::PrivateKey::generate();
  const core::PublicKey known = key.public_key();
  const std::string message = "what is signed";
  core::Signature signature = key.sign(message);
  CHECK(known.verify(message, signature));
  CHECK_FALSE(known.verify("what is signeD", signature));
  CHECK_FALSE(core::PrivateKey::generate().public_key().verify(message, signature));
  CHECK_FALSE(known.verify(message, core::ByteView(signature).first(63)));

  core::write_file_atomically(scratch / "pub.pem", known.to_pem());
  core::write_file_atomically(scratch / "message", message);
  core::write_file_atomically(scratch / "sig", core::as_text(signature));
  core::run_child_checked({.argv = {"openssl", "pkeyutl", "-verify", "-pubin", "-inkey", scratch / "pub.pem", "-rawin",
                                    "-in", scratch / "message", "-sigfile", scratch / "sig"}});
  const std::string der =
      core::run_child_checked({.argv = {"openssl", "pkey", "-pubin", "-in", scratch / "pub.pem", "-outform", "DER"}});
  CHECK(core::sha256(der).hex() == known.key_id());
  CHECK(core::PublicKey::from_pem(known.to_pem(), "t") == known);
  CHECK(core::PublicKey(known.raw()) == known);
  CHECK(core::PrivateKey::from_pem(key.to_pem(), "t").public_key() == known);

  signature[0] ^= std::byte{1};
  CHECK_FALSE(known.verify(message, signature));
}

TEST_CASE("other keys are refused with the reason") {
  const std::string rsa = core::run_child_checked(
      {.argv = {"openssl", "genpkey", "-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:1024"}});
  CHECK(contains(thrown_by([&] { return core::PrivateKey::from_pem(rsa, "k.pem").public_key(); }), "not Ed25519"));
  CHECK(contains(thrown_by([] { return core::PublicKey::from_pem("", "k.pem"); }), "k.pem"));
  CHECK(contains(thrown_by([] { return core::PublicKey::from_pem("-----BEGIN PUBLIC KEY-----\nx\n", "k.pem"); }),
                 "k.pem"));
  CHECK(contains(thrown_by([&] { return core::PublicKey::from_pem(core::PrivateKey::generate().to_pem(), "k.pem"); }),
                 "k.pem"));
  const std::string encrypted = core::run_child_checked(
      {.argv = {"openssl", "genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:secret"}});
  CHECK(contains(thrown_by([&] { return core::PrivateKey::from_pem(encrypted, "k.pem").public_key(); }), "k.pem"));
}
