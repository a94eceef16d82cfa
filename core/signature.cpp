// SPDX-License-Identifier: Apache-2.0
#include "core/signature.hpp"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>

#include "core/check.hpp"
#include "core/handle.hpp"

namespace core {
namespace {

using Bio = Handle<BIO, BIO_free>;
using Key = Handle<EVP_PKEY, EVP_PKEY_free>;
using KeyContext = Handle<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using DigestContext = Handle<EVP_MD_CTX, EVP_MD_CTX_free>;

/// DER of SubjectPublicKeyInfo {algorithm id-Ed25519 (1.3.101.112), BIT STRING of 32 bytes}, RFC 8410 section 4.
constexpr std::array<unsigned char, 12> kSpkiHead = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                                     0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

const unsigned char* chars(ByteView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

std::string openssl_words() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
  return reason != nullptr ? reason : "libcrypto refused";
}

Bio reading_bio(std::string_view text) {
  Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  CORE_CHECK(bio);
  return bio;
}

std::string written(const Bio& bio) {
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(length));
}

void require_ed25519(const Key& key, std::string_view source, const char* what) {
  if (!key) throw ParseError(std::string(source), {}, std::string("not ") + what + " in PEM: " + openssl_words());
  if (EVP_PKEY_get_id(key.get()) != EVP_PKEY_ED25519) {
    throw ParseError(std::string(source), {}, std::string("not ") + what + ": its algorithm is not Ed25519")
        .with_hint("make one with `openssl genpkey -algorithm ed25519`");
  }
}

RawKey raw_public(const Key& key) {
  RawKey raw{};
  std::size_t length = raw.size();
  CORE_CHECK(EVP_PKEY_get_raw_public_key(key.get(), reinterpret_cast<unsigned char*>(raw.data()), &length) == 1);
  CORE_CHECK(length == raw.size());
  return raw;
}

Key key_of(const RawKey& raw) {
  Key key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, chars(raw), raw.size()));
  CORE_CHECK(key);
  return key;
}

/// An encrypted key must fail, not ask on the terminal.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

}  // namespace

PublicKey PublicKey::from_pem(std::string_view pem, std::string_view source) {
  const Bio bio = reading_bio(pem);
  const Key key(PEM_read_bio_PUBKEY(bio.get(), nullptr, no_passphrase, nullptr));
  require_ed25519(key, source, "an Ed25519 public key");
  return PublicKey(raw_public(key));
}

std::string PublicKey::to_pem() const {
  const Key key = key_of(raw_);
  const Bio bio(BIO_new(BIO_s_mem()));
  CORE_CHECK(bio && PEM_write_bio_PUBKEY(bio.get(), key.get()) == 1);
  return written(bio);
}

Bytes PublicKey::der() const {
  Bytes bytes;
  for (unsigned char c : kSpkiHead) bytes.push_back(static_cast<std::byte>(c));
  bytes.insert(bytes.end(), raw_.begin(), raw_.end());
  return bytes;
}

std::string PublicKey::key_id() const {
  return sha256(der()).hex();
}

bool PublicKey::verify(ByteView message, ByteView signature) const {
  if (signature.size() != std::tuple_size_v<Signature>) return false;
  const Key key = key_of(raw_);
  const DigestContext context(EVP_MD_CTX_new());
  CORE_CHECK(context && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1);
  const int answer =
      EVP_DigestVerify(context.get(), chars(signature), signature.size(), chars(message), message.size());
  if (answer != 1) ERR_clear_error();
  return answer == 1;
}

bool PublicKey::verify(std::string_view message, ByteView signature) const {
  return verify(as_bytes(message), signature);
}

struct PrivateKey::State {
  Key key;
};

PrivateKey::PrivateKey(std::unique_ptr<State> state) : state_(std::move(state)) {}
PrivateKey::PrivateKey(PrivateKey&&) noexcept = default;
PrivateKey& PrivateKey::operator=(PrivateKey&&) noexcept = default;
PrivateKey::~PrivateKey() = default;

PrivateKey PrivateKey::generate() {
  const KeyContext context(EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, nullptr));
  auto state = std::make_unique<State>();
  if (!context || EVP_PKEY_keygen_init(context.get()) != 1 || EVP_PKEY_keygen(context.get(), state->key.out()) != 1) {
    throw Error(ErrorKind::failed, "cannot make an Ed25519 key", openssl_words());
  }
  return PrivateKey(std::move(state));
}

PrivateKey PrivateKey::from_pem(std::string_view pem, std::string_view source) {
  const Bio bio = reading_bio(pem);
  auto state = std::make_unique<State>();
  state->key = Key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  require_ed25519(state->key, source, "an Ed25519 private key");
  return PrivateKey(std::move(state));
}

std::string PrivateKey::to_pem() const {
  const Bio bio(BIO_new(BIO_s_secmem()));
  CORE_CHECK(bio &&
             PEM_write_bio_PKCS8PrivateKey(bio.get(), state_->key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return written(bio);
}

PublicKey PrivateKey::public_key() const {
  return PublicKey(raw_public(state_->key));
}

Signature PrivateKey::sign(ByteView message) const {
  const DigestContext context(EVP_MD_CTX_new());
  CORE_CHECK(context && EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, state_->key.get()) == 1);
  Signature signature{};
  std::size_t length = signature.size();
  CORE_CHECK(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &length, chars(message),
                            message.size()) == 1);
  CORE_CHECK(length == signature.size());
  return signature;
}

Signature PrivateKey::sign(std::string_view message) const {
  return sign(as_bytes(message));
}

void fill_random(std::span<std::byte> into) {
  while (!into.empty()) {
    const ssize_t count = ::getrandom(into.data(), into.size(), 0);
    if (count < 0) {
      if (errno == EINTR) continue;
      throw_errno("cannot get random bytes from the kernel");
    }
    into = into.subspan(static_cast<std::size_t>(count));
  }
}

void wipe(std::span<char> secret) {
  OPENSSL_cleanse(secret.data(), secret.size());
}

}  // namespace core
