# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Images: what qemu and openvz nodes are made of.

The controller has them: it builds them (recipe, build, initrd) or fetches them (fetch), as their source wants (sources), and keeps
one directory for each digest (store).
"""
