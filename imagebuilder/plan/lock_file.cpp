// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/plan/lock_file.hpp"

#include <algorithm>
#include <set>

#include "core/epoch.hpp"
#include "core/error.hpp"
#include "core/format/types.hpp"
#include "core/json.hpp"

namespace imagebuilder::plan {
namespace {

constexpr std::string_view kType = "lock";
constexpr std::uint64_t kSchema = 1;
constexpr std::size_t kKeyDigits = 16;

core::Json to_json(const LockedPackage& package) {
  core::Json json = {{"name", package.name},
                     {"epoch", package.epoch},
                     {"version", package.version},
                     {"release", package.release},
                     {"arch", package.arch},
                     {"sha256", package.sha256.text()},
                     {"header", package.header.text()},
                     {"size", package.size_bytes}};
  if (!package.signing_key.empty()) json["key"] = package.signing_key;
  return json;
}

LockedPackage read_package(const core::JsonValue& value) {
  auto object = value.as_object();
  LockedPackage package;
  package.name = object.string("name");
  package.epoch = object.uint("epoch");
  package.version = object.string("version");
  package.release = object.string("release");
  package.arch = object.string("arch");
  package.sha256 = core::Sha256::parse(object.string("sha256"), value.place());
  package.header = core::Sha256::parse(object.string("header"), value.place());
  package.size_bytes = object.uint("size");
  if (const auto key = object.find("key")) {
    package.signing_key = key->as_string();
    if (!core::format::is_hex(package.signing_key, kKeyDigits)) key->fail("a key id has 16 hexadecimal digits");
  }
  object.finish();
  for (const auto* text : {&package.name, &package.version, &package.release, &package.arch})
    if (text->empty() || text->find('/') != std::string::npos)
      value.fail("a name, version, release or architecture is empty or has a slash");
  return package;
}

std::vector<std::string> sorted_texts(const core::JsonValue& value) {
  auto texts = value.as_strings();
  if (!std::is_sorted(texts.begin(), texts.end()) || std::adjacent_find(texts.begin(), texts.end()) != texts.end())
    value.fail("it is not sorted, or something stands in it twice");
  return texts;
}

}  // namespace

std::string LockedPackage::nevra() const {
  std::string text = name + "-";
  if (epoch != 0) text += std::to_string(epoch) + ":";
  return text + version + "-" + release + "." + arch;
}

std::string print(const LockFile& lock) {
  core::Json json = {{"type", kType},
                     {"schema", kSchema},
                     {"arch", lock.arch},
                     {"epoch", lock.epoch},
                     {"install", lock.install},
                     {"exclude", lock.exclude},
                     {"recommends", lock.recommends},
                     {"database", lock.database},
                     {"pack", {{"format", lock.format}, {"level", lock.level}}},
                     {"toolchain", lock.toolchain},
                     {"packages", core::Json::array()}};
  for (const auto& package : lock.packages) json["packages"].push_back(to_json(package));
  return core::canonical_json(json);
}

LockFile parse_lock_file(std::string_view bytes, std::string_view source) {
  const auto document = core::parse_json(bytes, source);
  auto object = core::open_document(document, source, kType, kSchema);
  LockFile lock;
  lock.arch = object.string("arch");
  if (!core::format::is_architecture(lock.arch)) object.fail("'" + lock.arch + "' is no architecture");
  lock.epoch = object.uint("epoch", core::kEpochMax);
  lock.install = sorted_texts(object.at("install"));
  lock.exclude = sorted_texts(object.at("exclude"));
  lock.recommends = object.boolean("recommends");
  lock.database = object.string("database");
  if (!lock.database.starts_with('/')) object.fail("the database's path is not absolute");
  auto pack = object.object("pack");
  lock.format = pack.string("format");
  lock.level = pack.uint("level");
  pack.finish();
  for (const auto& [name, version] : object.at("toolchain").as_map()) lock.toolchain[name] = version.as_string();
  std::set<std::string> known;
  for (const auto& value : object.array("packages")) {
    lock.packages.push_back(read_package(value));
    if (!known.insert(lock.packages.back().nevra()).second)
      value.fail(lock.packages.back().nevra() + " stands in it twice");
  }
  object.finish();
  return lock;
}

}  // namespace imagebuilder::plan
