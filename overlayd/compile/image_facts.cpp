// SPDX-License-Identifier: Apache-2.0
#include "overlayd/compile/image_facts.hpp"

#include "core/error.hpp"
#include "core/text.hpp"

namespace overlayd::compile {
namespace {

constexpr std::uint64_t kAccountsLimitBytes = 64U << 20U;
constexpr std::uint64_t kMaxId = 0xfffffffe;  // all ones means "no id" in chown(2)

std::optional<std::uint32_t> parse_id(std::string_view text) {
  const auto id = core::parse_uint(text);
  return id && *id <= kMaxId ? std::optional<std::uint32_t>(static_cast<std::uint32_t>(*id)) : std::nullopt;
}

}  // namespace

std::map<std::string, UserIds> parse_passwd(std::string_view text) {
  std::map<std::string, UserIds> out;
  for (const std::string_view line : core::split_lines(text)) {
    const auto fields = core::split(line, ':');
    if (fields.size() != 7 || fields[0].empty()) continue;
    const auto uid = parse_id(fields[2]), gid = parse_id(fields[3]);
    if (uid && gid) out.emplace(fields[0], UserIds{*uid, *gid});
  }
  return out;
}

std::map<std::string, std::uint32_t> parse_group(std::string_view text) {
  std::map<std::string, std::uint32_t> out;
  for (const std::string_view line : core::split_lines(text)) {
    const auto fields = core::split(line, ':');
    if (fields.size() != 4 || fields[0].empty()) continue;
    if (const auto gid = parse_id(fields[2])) out.emplace(fields[0], *gid);
  }
  return out;
}

std::shared_ptr<const ImageFacts> read_image_facts(const core::store::ObjectStore& store,
                                                   const std::string& reference) {
  return core::with_context("while reading image " + reference, [&] {
    auto facts = std::make_shared<ImageFacts>();
    facts->reference = reference;
    facts->name = store.resolve_image(reference);
    facts->manifest = store.image(facts->name);
    const auto& manifest = facts->manifest;
    facts->files = core::format::parse_file_list(store.read(manifest.files), "file list of " + reference);
    facts->users = parse_passwd(store.read(manifest.passwd, kAccountsLimitBytes));
    facts->groups = parse_group(store.read(manifest.group, kAccountsLimitBytes));
    return std::shared_ptr<const ImageFacts>(facts);
  });
}

}  // namespace overlayd::compile
