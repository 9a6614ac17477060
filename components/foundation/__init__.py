"""Resources that all subsystems share: alerts, bucket for access logs, network, backup, budget, Lambda layer."""

from components.foundation.foundation import Foundation

__all__ = ["Foundation"]
