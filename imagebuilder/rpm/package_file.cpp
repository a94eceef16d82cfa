// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/rpm/package_file.hpp"

#include <fcntl.h>
#include <rpm/rpmpgp.h>

#include <algorithm>
#include <array>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"
#include "imagebuilder/rpm/internal.hpp"
#include "imagebuilder/rpm/session.hpp"

namespace imagebuilder::rpm {
namespace {

constexpr std::uint64_t kMaxKeyFileBytes = 4 * 1024 * 1024;
constexpr std::size_t kLeadBytes = 96;
constexpr std::size_t kIntroBytes = 16;  // of a header structure: magic, reserved, index count, data bytes
constexpr std::string_view kArmourBegin = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
constexpr std::string_view kArmourEnd = "-----END PGP PUBLIC KEY BLOCK-----";

/// Length of the header structure that starts with `intro`; nothing when it is none.
std::optional<std::uint64_t> structure_bytes(core::ByteView intro) {
  core::ByteReader reader(intro, "package");
  if (reader.be32() != 0x8eade801) return std::nullopt;
  reader.be32();
  const std::uint64_t entries = reader.be32(), data = reader.be32();
  if (entries > 0xffff * 16ULL || data > 256ULL * 1024 * 1024) return std::nullopt;  // librpm's own limits
  return kIntroBytes + entries * 16 + data;
}

std::optional<std::uint64_t> find_payload(core::FdRef file) {
  std::array<std::byte, kLeadBytes> lead{};
  if (core::pread_upto(file, lead, 0) != lead.size()) return std::nullopt;
  if (core::ByteReader(lead, "package").be32() != 0xedabeedb) return std::nullopt;
  std::uint64_t at = kLeadBytes;
  for (int i = 0; i < 2; ++i) {
    std::array<std::byte, kIntroBytes> intro{};
    if (core::pread_upto(file, intro, at) != intro.size()) return std::nullopt;
    const auto length = structure_bytes(intro);
    if (!length) return std::nullopt;
    at += *length;
    if (i == 0) at = (at + 7) / 8 * 8;  // only the signature structure is padded
  }
  return at;
}

core::Error broken(const std::string& expected, std::string cause) {
  return core::Error(core::ErrorKind::verification, "package " + expected + " is refused", std::move(cause));
}

struct FreeParams {
  void operator()(pgpDigParams params) const { pgpDigParamsFree(params); }
};
using Params = std::unique_ptr<std::remove_pointer_t<pgpDigParams>, FreeParams>;

/// Key id of the header's own signature (not of the old ones over header and payload).
std::string signing_key(Header header) {
  for (const rpmTagVal tag : {RPMTAG_RSAHEADER, RPMTAG_DSAHEADER}) {
    rpmtd_s data{};
    if (!headerGet(header, tag, &data, HEADERGET_MINMEM)) continue;
    pgpDigParams raw = nullptr;
    const int code = pgpPrtParams(static_cast<const uint8_t*>(data.data), data.count, PGPTAG_SIGNATURE, &raw);
    const Params params(raw);
    rpmtdFreeData(&data);
    if (code == 0 && params)
      return core::to_hex({reinterpret_cast<const std::byte*>(pgpDigParamsSignID(params.get())), 8});
  }
  return {};
}

std::string first_string(Header header, rpmTagVal tag) {
  rpmtd_s data{};
  if (!headerGet(header, tag, &data, HEADERGET_MINMEM)) return {};
  const char* text = rpmtdGetString(&data);
  std::string result = text ? text : "";
  rpmtdFreeData(&data);
  return result;
}

core::Sha256 header_digest(Header header) {
  rpmtd_s data{};
  core::Sha256 digest;
  if (headerGet(header, RPMTAG_HEADERIMMUTABLE, &data, HEADERGET_DEFAULT)) {
    digest = core::sha256(core::ByteView(static_cast<const std::byte*>(data.data), data.count));
    rpmtdFreeData(&data);
  }
  return digest;
}

std::string joined(const std::vector<std::string>& lines) {
  return core::join(lines, "; ");
}

}  // namespace

std::string nevra_of(Header header) {
  const auto text = [&](rpmTagVal tag) {
    const char* value = headerGetString(header, tag);
    return std::string(value ? value : "");
  };
  std::string result = text(RPMTAG_NAME) + "-";
  if (const auto epoch = headerGetNumber(header, RPMTAG_EPOCH); epoch != 0) result += std::to_string(epoch) + ":";
  return result + text(RPMTAG_VERSION) + "-" + text(RPMTAG_RELEASE) + "." + text(RPMTAG_ARCH);
}

HeaderHandle read_header(const std::string& path) {
  const TransactionHandle ts(rpmtsCreate());
  rpmtsSetVSFlags(ts.get(),
                  static_cast<rpmVSFlags>(RPMVSF_MASK_NODIGESTS | RPMVSF_MASK_NOSIGNATURES | RPMVSF_NOHDRCHK));
  const FileHandle file(Fopen(path.c_str(), "r.ufdio"));
  if (!file || Ferror(file.get()))
    throw core::Error(core::ErrorKind::io, "cannot open package " + path, Fstrerror(file.get()));
  LogCapture log;
  HeaderHandle header;
  const rpmRC code = rpmReadPackageFile(ts.get(), file.get(), path.c_str(), header.out());
  if (!header || (code != RPMRC_OK && code != RPMRC_NOKEY && code != RPMRC_NOTTRUSTED))
    throw core::Error(core::ErrorKind::verification, "cannot read package " + path, joined(log.take()));
  return header;
}

Keyring::Keyring() : state_(std::make_unique<State>()) {}
Keyring::~Keyring() = default;
Keyring::Keyring(Keyring&&) noexcept = default;
Keyring& Keyring::operator=(Keyring&&) noexcept = default;

void Keyring::add_file(const std::string& path) {
  const std::string text =
      core::with_context("reading the key file " + path, [&] { return core::read_file(path, kMaxKeyFileBytes); });
  const auto before = count_;
  const auto add_packets = [&](const uint8_t* packets, std::size_t size) {
    while (size > 0) {
      std::size_t length = 0;
      if (pgpPubKeyCertLen(packets, size, &length) != 0 || length == 0 || length > size) break;
      const core::Handle<rpmPubkey_s, rpmPubkeyFree> key(rpmPubkeyNew(packets, length));
      if (key) {
        if (rpmKeyringAddKey(state_->keyring.get(), key.get()) >= 0) ++count_;
        int subkeys = 0;
        rpmPubkey* list = rpmGetSubkeys(key.get(), &subkeys);
        for (int i = 0; i < subkeys; ++i) {
          rpmKeyringAddKey(state_->keyring.get(), list[i]);
          rpmPubkeyFree(list[i]);
        }
        std::free(list);
      }
      packets += length;
      size -= length;
    }
  };
  if (text.find(kArmourBegin) == std::string::npos) {
    add_packets(reinterpret_cast<const uint8_t*>(text.data()), text.size());
  } else {
    for (std::size_t begin = text.find(kArmourBegin); begin != std::string::npos;
         begin = text.find(kArmourBegin, begin + 1)) {
      const auto end = text.find(kArmourEnd, begin);
      if (end == std::string::npos) break;
      const std::string block = text.substr(begin, end + kArmourEnd.size() - begin) + "\n";
      uint8_t* packets = nullptr;
      std::size_t size = 0;
      if (pgpParsePkts(block.c_str(), &packets, &size) == PGPARMOR_PUBKEY) add_packets(packets, size);
      std::free(packets);
    }
  }
  if (count_ == before)
    throw core::Error(core::ErrorKind::parse, "cannot use the key file " + path,
                      "there is no OpenPGP public key in it");
}

PackageDigests digest_package(const std::string& path) {
  const auto file = core::open_file(path, O_RDONLY);
  PackageDigests result;
  const auto payload = find_payload(file);
  result.payload_offset = payload.value_or(0);
  core::Sha256Hasher whole, rest;
  core::Bytes buffer(1024 * 1024);
  for (;;) {
    const auto got = core::read_some(file, buffer, path);
    if (got == 0) break;
    const auto part = core::ByteView(buffer).first(got);
    whole.update(part);
    const auto end = result.size_bytes + got;
    if (payload && end > *payload)
      rest.update(
          part.subspan(*payload > result.size_bytes ? static_cast<std::size_t>(*payload - result.size_bytes) : 0));
    result.size_bytes = end;
  }
  result.file = whole.finish();
  if (payload && *payload <= result.size_bytes) result.payload = rest.finish();
  return result;
}

PackageFacts verify_package(const std::string& path, const PackageDigests& digests, const Keyring* keys,
                            const std::string& expected) {
  start_session();
  if (!digests.payload) throw broken(expected, path + " is no RPM package, or is cut short");
  const TransactionHandle ts(rpmtsCreate());
  rpmtsSetVSFlags(ts.get(), static_cast<rpmVSFlags>(keys != nullptr ? 0 : RPMVSF_MASK_NOSIGNATURES));
  if (keys != nullptr) rpmtsSetKeyring(ts.get(), KeyringAccess::get(*keys));
  const FileHandle file(Fopen(path.c_str(), "r.ufdio"));
  if (!file || Ferror(file.get()))
    throw core::Error(core::ErrorKind::io, "cannot open package " + path, Fstrerror(file.get()));
  LogCapture log;
  HeaderHandle header;
  const rpmRC code = rpmReadPackageFile(ts.get(), file.get(), path.c_str(), header.out());
  const auto words = log.take();
  if (code == RPMRC_FAIL || code == RPMRC_NOTFOUND || !header)
    throw broken(expected, "its header is damaged or was tampered with" + (words.empty() ? "" : ": " + joined(words)));

  PackageFacts facts;
  facts.nevra = nevra_of(header.get());
  facts.build_time = headerGetNumber(header.get(), RPMTAG_BUILDTIME);
  facts.signing_key = signing_key(header.get());
  facts.header = header_digest(header.get());
  if (facts.nevra != expected) throw broken(expected, "the file says that it is " + facts.nevra);
  if (headerIsSource(header.get())) throw broken(expected, "it is a source package");
  if (keys != nullptr) {
    if (facts.signing_key.empty())
      throw broken(expected, "it is not signed").with_hint("sign it, or allow unsigned packages with --no-gpgcheck");
    if (code == RPMRC_NOKEY)
      throw broken(expected, "it is signed with key " + facts.signing_key + ", which is not among the given keys")
          .with_hint("give the key file with --key");
    if (code == RPMRC_NOTTRUSTED)
      throw broken(expected, "key " + facts.signing_key + " is not trusted (expired or revoked)");
    if (code != RPMRC_OK) throw broken(expected, joined(words));
  }

  // The signature covers the header; the header names the payload.
  const auto named = first_string(header.get(), RPMTAG_PAYLOADDIGEST);
  const auto algorithm = headerGetNumber(header.get(), RPMTAG_PAYLOADDIGESTALGO);
  if (!named.empty() && algorithm == PGPHASHALGO_SHA256) {
    if (named != digests.payload->hex())
      throw broken(expected, "its payload is damaged or was tampered with: SHA-256 is " + digests.payload->hex() +
                                 ", the header says " + named);
  } else if (keys != nullptr) {
    throw broken(expected, "its header names no SHA-256 of the payload, so that the signature does not cover it")
        .with_hint("rebuild the package with rpm 4.14 or later");
  }
  return facts;
}

}  // namespace imagebuilder::rpm
