// SPDX-License-Identifier: Apache-2.0
/// \file
/// The kernel's module indexes as depmod writes them (modules.dep, modules.alias, modules.softdep), and the question
/// they answer: which module files, in which order, does this hardware need?
///
/// Pure: texts in, names out. The agent uses it on the node, image/ when it chooses what goes into the initramfs.
/// Sources: depmod(8), modules.dep(5), the kernel's Documentation/kbuild/modules.rst.
#pragma once
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace initramfs::modules {

/// "kernel/drivers/net/foo-bar.ko.xz" -> "foo_bar"; a bare name is only normalised.
std::string module_name(std::string_view path_or_name);

/// The kernel's own pattern match for module aliases: `*`, `?`, `[a-c]`; no escapes, `/` is an ordinary character.
/// Runs in time proportional to the product of the lengths at worst; never recurses.
bool alias_matches(std::string_view pattern, std::string_view alias);

class Index {
 public:
  /// Each text may be empty. Lines that are not understood are ignored, as modprobe does, but a dependency on a file
  /// that modules.dep does not list is an error.
  /// \throws core::Error naming the index and the line.
  Index(std::string_view dep, std::string_view alias, std::string_view softdep);

  bool has(std::string_view name) const;
  /// Path below the modules folder as modules.dep writes it; empty when unknown.
  std::string path_of(std::string_view name) const;
  const std::map<std::string, std::string, std::less<>>& paths() const { return paths_; }
  const std::vector<std::pair<std::string, std::string>>& aliases() const { return aliases_; }

  /// Names of the modules whose alias patterns match `modalias`, each once, sorted.
  std::vector<std::string> wanted_by(std::string_view modalias) const;

  /// A module name or alias ("crypto-crc32c") to module names.
  std::vector<std::string> resolve(std::string_view name_or_alias) const;

  /// The order to load in so that `names` work: dependencies first, soft "pre" before, soft "post" after. Each name
  /// once. Unknown names are left out; cycles (soft dependencies may have them) are cut.
  std::vector<std::string> load_order(const std::vector<std::string>& names) const;

  /// Names of what `name` needs before it, hard and soft, one level.
  std::vector<std::string> needs(std::string_view name) const;
  std::vector<std::string> softdep_post(std::string_view name) const;

  /// The three texts for a subset of the modules, sorted, fit for an initramfs: paths without compression suffix.
  struct Texts {
    std::string dep, alias, softdep;
  };
  Texts subset(const std::set<std::string>& names) const;

 private:
  struct Soft {
    std::vector<std::string> pre, post;
  };
  void visit(const std::string& name, std::set<std::string>& seen, std::vector<std::string>& out) const;

  std::map<std::string, std::string, std::less<>> paths_;                 // name -> path
  std::map<std::string, std::vector<std::string>, std::less<>> depends_;  // name -> names, nearest first
  std::vector<std::pair<std::string, std::string>> aliases_;              // pattern -> name
  std::map<std::string, Soft, std::less<>> soft_;
};

}  // namespace initramfs::modules
